"""The reviewer's desk: a web application on the ledger. A person reads, corrects and decides here.

    roles      who may do what; what no role needs to see is not shown to it
    accounts   users and their passwords (argon2id)
    sessions   who is logged in; tokens for programs
    worklist   the submissions as a reviewer takes them up
    casefile   one case as it stands: as it was read, with every correction on top
    casepage, strip   the same as its page shows it: rows, marks, the pages bundled by document
    prefilled  the same as the filled form
    corrections, layout, marking, checking    what a person changes: answers, documents, words that show it
    correcting how a person's change becomes a correction of the case, or is refused
    correction_records   how corrections are kept
    standing   the case that follows from them, and the rules asked of it
    regression the corrections as a set to measure on, and as figures
    desk       the application, put together of
    routes/        its pages and forms, a module for each part of the work
    rendering      what those share: ledger, images, templates
    pictures, drawing   page images, made in a process of their own
    asking, guard  who asks, and what every request passes
    failures       what is answered where nothing else can be
    problems       what a program is answered then
    oidc, provider logging in through the organization's own provider
    api/           the same operations for programs
    tables         what the desk keeps in the ledger's database

What was seen and changed, and by whom, is in the audit trail (`pipeline.audit`).

Everything runs without a network: no outside script, font or style; the content security policy admits none.
"""
