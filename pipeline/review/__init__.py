"""The reviewer's desk: a web application on the ledger. A person reads, corrects and decides here.

    roles      who may do what; what no role needs to see is not shown to it
    accounts   users and their passwords (argon2id)
    sessions   who is logged in; tokens for programs
    worklist   the submissions as a reviewer takes them up
    casefile   one case as it stands: as it was read, with every correction on top
    corrections, layout, marking, checking    what a person changes: answers, documents, words that show it
    standing   the case that follows from them, and the rules asked of it
    desk       the application, put together of
    routes/        its pages and forms, a module for each part of the work
    rendering      what those share: ledger, images, templates
    asking, guard  who asks, and what every request passes
    failures       what is answered where nothing else can be
    problems       what a program is answered then
    oidc           logging in through the organization's own provider
    api/           the same operations for programs

What was seen and changed, and by whom, is in the audit trail (`pipeline.audit`).

Everything runs without a network: no outside script, font or style; the content security policy admits none.
"""
