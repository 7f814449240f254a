"""A text in; its words out."""

import re


def words_of(text):
    return re.findall(r"[a-z]+", text.lower())
