"""The desk's pages and forms, a module for each part of the work; each adds its routes to the application."""
