"""Every field of a Gemini request, and what happens to it if the node speaks another protocol.

Sources: ``google/ai/generativelanguage/v1beta`` and, for fields that only SDKs know, google-genai.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from casedesk_proxy.dialects.core.known_fields import Fate

__all__ = ["MESSAGES", "Field", "FieldKind"]


class FieldKind(Enum):
    TEXT = auto()
    NUMBER = auto()
    INTEGER = auto()
    FLAG = auto()
    OBJECT = auto()
    ANY = auto()
    #: Known, and without a meaning for a node.
    IGNORED = auto()
    #: Known, but must not be left out silently.
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Field:
    """``kind`` may name another message, or list an enum's values by number. ``fate`` is for
    documents: that of a field which is read but not passed to the node."""

    kind: FieldKind | str | tuple[str, ...]
    many: bool = False
    why: str = ""
    fate: Fate = Fate.MAPPED


TEXT = Field(FieldKind.TEXT)
TEXTS = Field(FieldKind.TEXT, many=True)
NUMBER = Field(FieldKind.NUMBER)
INTEGER = Field(FieldKind.INTEGER)
FLAG = Field(FieldKind.FLAG)
OBJECT = Field(FieldKind.OBJECT)
ANY = Field(FieldKind.ANY)
IGNORED = Field(FieldKind.IGNORED)

MODES = ("", "AUTO", "ANY", "NONE", "VALIDATED")
MODALITIES = ("", "TEXT", "IMAGE", "AUDIO", "VIDEO")
LEVELS = ("", "MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH")
RESOLUTIONS = ("", "LOW", "MEDIUM", "HIGH", "ULTRA_HIGH")
TASKS = (
    "",
    "RETRIEVAL_QUERY",
    "RETRIEVAL_DOCUMENT",
    "SEMANTIC_SIMILARITY",
    "CLASSIFICATION",
    "CLUSTERING",
    "QUESTION_ANSWERING",
    "FACT_VERIFICATION",
    "CODE_RETRIEVAL_QUERY",
)


def _refused(why: str, *names: str) -> dict[str, Field]:
    return {name: Field(FieldKind.REFUSED, why=why) for name in names}


def _read_and(fate: Fate, kind: FieldKind | tuple[str, ...], why: str = "") -> Field:
    return Field(kind, why=why, fate=fate)


def _ignored(*names: str) -> dict[str, Field]:
    return dict.fromkeys(names, IGNORED)


_GOOGLE_TOOL = "this tool runs on Google's servers and is not available on a local node"
_FILES = "the node cannot fetch files from Google or elsewhere; upload them here"
_GOOGLE_STORE = "this is stored at Google, where a local node cannot read it"
_CODE = "Google's code execution is not available on a local node"
_NO_TASK = "if the model needs a prefix for its task, put it into the text"
_PIECES = "partial function calls and responses are not supported"
#: Refused if it is alone in its part.
_BESIDE = "has no effect in a part with text or media; alone in a part it is refused"

MESSAGES: dict[str, dict[str, Field]] = {
    "GenerateContentRequest": {
        "contents": Field("Content", many=True),
        "systemInstruction": Field("Content"),
        "tools": Field("Tool", many=True),
        "toolConfig": Field("ToolConfig"),
        "generationConfig": Field("GenerationConfig"),
        "store": _read_and(Fate.LEFT_OUT, FieldKind.FLAG, "local nodes do not store requests"),
        # The path names the model. A local node has no safety filter to set, and every SDK
        # example sets one. Labels and tier are for billing.
        **_ignored("model", "safetySettings", "labels", "serviceTier"),
        **_refused(_GOOGLE_STORE, "cachedContent", "continuationToken"),
    },
    "Content": {"role": TEXT, "parts": Field("Part", many=True)},
    "Part": {
        "text": TEXT,
        "thought": Field(FieldKind.FLAG, why="an earlier thought is left out with a warning"),
        "inlineData": Field("Blob"),
        "functionCall": Field("FunctionCall"),
        "functionResponse": Field("FunctionResponse"),
        "videoMetadata": _read_and(
            Fate.REFUSED,
            FieldKind.OBJECT,
            "the node does not support videoMetadata (clipping, frame rate)",
        ),
        "mediaResolution": ANY,
        "audioTranscription": _read_and(Fate.IGNORED, FieldKind.ANY, _BESIDE),
        "mediaProcessing": _read_and(Fate.IGNORED, FieldKind.ANY, _BESIDE),
        **_ignored(
            "thoughtSignature",
            "partMetadata",
            "speechMetadata",
            "documentMetadata",
            "spreadsheetMetadata",
            "audioMetadata",
        ),
        **_refused(_FILES, "fileData"),
        **_refused(_CODE, "executableCode", "codeExecutionResult"),
        **_refused(_GOOGLE_TOOL, "toolCall", "toolResponse"),
    },
    "Blob": {"mimeType": TEXT, "data": TEXT, "displayName": IGNORED},
    "FunctionCall": {
        "id": TEXT,
        "name": TEXT,
        "args": OBJECT,
        "partialArgs": IGNORED,
        "willContinue": _read_and(Fate.REFUSED, FieldKind.FLAG, _PIECES),
    },
    "FunctionResponse": {
        "id": TEXT,
        "name": TEXT,
        "response": OBJECT,
        "willContinue": _read_and(Fate.REFUSED, FieldKind.FLAG, _PIECES),
        "scheduling": IGNORED,
        "parts": Field("FunctionResponsePart", many=True, why="media follow in the user's turn"),
    },
    "FunctionResponsePart": {
        "inlineData": Field("Blob"),
        **_refused(_FILES, "fileData"),
    },
    "Tool": {
        "functionDeclarations": Field("FunctionDeclaration", many=True),
        **_refused(
            _GOOGLE_TOOL,
            "googleSearch",
            "googleSearchRetrieval",
            "codeExecution",
            "urlContext",
            "computerUse",
            "fileSearch",
            "googleMaps",
            "mcpServers",
            "retrieval",
            "enterpriseWebSearch",
            "parallelAiSearch",
            "exaAiSearch",
        ),
    },
    "FunctionDeclaration": {
        "name": TEXT,
        "description": TEXT,
        "parameters": OBJECT,
        "parametersJsonSchema": ANY,
        **_ignored("response", "responseJsonSchema", "behavior"),
    },
    "ToolConfig": {
        "functionCallingConfig": Field("FunctionCallingConfig"),
        **_ignored("retrievalConfig", "includeServerSideToolInvocations"),
    },
    "FunctionCallingConfig": {
        "mode": Field(MODES),
        "allowedFunctionNames": TEXTS,
        "streamFunctionCallArguments": IGNORED,
    },
    "GenerationConfig": {
        "temperature": NUMBER,
        "topP": NUMBER,
        "topK": INTEGER,
        "candidateCount": INTEGER,
        "maxOutputTokens": INTEGER,
        "stopSequences": TEXTS,
        "seed": INTEGER,
        "presencePenalty": NUMBER,
        "frequencyPenalty": NUMBER,
        "responseLogprobs": FLAG,
        "logprobs": INTEGER,
        "responseMimeType": TEXT,
        "responseSchema": OBJECT,
        "responseJsonSchema": ANY,
        # A field of its own in the proto, and the first one that SDKs supported.
        "_responseJsonSchema": ANY,
        "responseModalities": Field(MODALITIES, many=True),
        "thinkingConfig": Field("ThinkingConfig"),
        "mediaResolution": Field(RESOLUTIONS),
        "imageConfig": _read_and(Fate.REFUSED, FieldKind.OBJECT, "the node cannot generate images"),
        "enableEnhancedCivicAnswers": IGNORED,
        **_refused("the node cannot generate speech", "speechConfig"),
        **_refused("the node cannot transcribe audio", "audioTranscriptionConfig"),
        **_refused("the node does not support audio timestamps", "audioTimestamp"),
    },
    "ThinkingConfig": {
        "includeThoughts": FLAG,
        "thinkingBudget": INTEGER,
        "thinkingLevel": Field(LEVELS),
    },
    "EmbedContentRequest": {
        "model": TEXT,
        "content": Field("Content"),
        "title": _read_and(Fate.IGNORED, FieldKind.TEXT, _NO_TASK),
        "taskType": _read_and(Fate.IGNORED, TASKS, _NO_TASK),
        "outputDimensionality": INTEGER,
    },
    "BatchEmbedContentsRequest": {
        "model": TEXT,
        "requests": Field("EmbedContentRequest", many=True),
    },
    "CountTokensRequest": {
        "model": IGNORED,
        "contents": Field("Content", many=True),
        "generateContentRequest": Field("GenerateContentRequest"),
    },
}
