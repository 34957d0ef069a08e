"""Can a label be guessed from an artefact of a corpus's construction?"""
