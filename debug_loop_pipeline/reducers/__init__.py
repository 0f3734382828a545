"""Pure state machines: (state, action) -> (new state, intents, transition). No side effect, no clock.

Here: the machines. Not here: carrying out what they ask for (effects), and finding the actions (compute).
"""
