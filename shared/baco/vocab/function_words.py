"""`FUNCTION_WORDS`: the closed-class words of English, lower case; the paper names none, so the list is our own choice."""

_GROUPS = {
    "articles and determiners": """
        a an the this that these those each every either some any all both half several few many much more most such another other
    """,
    "pronouns": """
        i me my mine myself you your yours yourself yourselves he him his himself she her hers herself it its itself
        we us our ours ourselves they them their theirs themselves one
        someone anyone everyone somebody anybody everybody something anything everything
    """,
    "prepositions": """
        about above across after against along among around at before behind below between beyond by down during
        for from in inside into like near of off on onto out outside over since through throughout to toward towards under
        until up upon with within without
    """,
    "conjunctions": "and or but so yet if because although though unless while whereas whether than as once",
    "auxiliaries": """
        be am is are was were been being have has had having do does did doing can could will would shall should may might must ought
    """,
    "particles": "there then thus also too just only even",
    "wh-words": "who whom whose which what when where why how",
    "negation": "no not nor never neither none nobody nothing cannot",
}

FUNCTION_WORDS: frozenset[str] = frozenset(word for words in _GROUPS.values() for word in words.split())
