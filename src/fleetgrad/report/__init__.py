"""The page that a run explains itself on: one file, for any browser, that asks nobody for anything.

    facts       what a run's directory says, as plain values
    answering   what the model said of rows it had never seen
    drawing     the network that answers in the browser
    pictures    rows of images as small files
    words       all of it in sentences
    figures     one function a figure, for pages and notebooks alike
    page        all of these in one file

It reads the record and the model, and changes neither; whatever a run lacks is left out, with the
reason.
"""
