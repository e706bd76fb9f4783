"""The reasons for which a recorded request may be refused by a translation, as patterns."""

LEGITIMATE = (
    r"hosted tool '.+' is not available on provider '.+'",
    r"^is not available on provider '.+'$",
    r"gives one reply$|only one reply is carried",
    r"model '.+' cannot be made to call a tool",
    r"a document of type .+ is not taken by provider",
    r"(audio|video) is not taken by provider",
    r"several replies at once are not available",
    r"takes bytes, and no address of the web",
    r"takes a sound's bytes, not its address",
    r"file '.+' is not known to provider '.+'",
    r"takes no (audio|video)",
    r"a video is not taken by provider '.+'",
    r"takes a document's bytes, not its address",
    r"the file '.+' of '.+' cannot be referred to at provider '.+'",
)
