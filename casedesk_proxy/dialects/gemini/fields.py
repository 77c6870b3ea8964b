"""Every field of a Gemini request, and what becomes of it where the node speaks another protocol.

Sources: ``google/ai/generativelanguage/v1beta`` and, for fields that only SDKs know, google-genai.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

__all__ = ["MESSAGES", "Field", "FieldKind"]


class FieldKind(Enum):
    TEXT = auto()
    NUMBER = auto()
    INTEGER = auto()
    FLAG = auto()
    OBJECT = auto()
    ANY = auto()
    #: Known, and without meaning for a node.
    IGNORED = auto()
    #: Known, and not to be left out silently.
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Field:
    """``kind`` may name another message, or list an enum's values by number."""

    kind: FieldKind | str | tuple[str, ...]
    many: bool = False
    why: str = ""


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


def _ignored(*names: str) -> dict[str, Field]:
    return dict.fromkeys(names, IGNORED)


_GOOGLE_TOOL = "this tool runs at Google; a local node has nothing like it"
_GOOGLE_STORE = "this lives in Google's store; a local node cannot read it"
_CODE = "parts of Google's code execution mean nothing to a local node"

MESSAGES: dict[str, dict[str, Field]] = {
    "GenerateContentRequest": {
        "contents": Field("Content", many=True),
        "systemInstruction": Field("Content"),
        "tools": Field("Tool", many=True),
        "toolConfig": Field("ToolConfig"),
        "generationConfig": Field("GenerationConfig"),
        "store": FLAG,
        # The path names the model. A local node has no safety filter to set, and every SDK
        # example sets one. Labels and tier are for billing.
        **_ignored("model", "safetySettings", "labels", "serviceTier"),
        **_refused(_GOOGLE_STORE, "cachedContent", "continuationToken"),
    },
    "Content": {"role": TEXT, "parts": Field("Part", many=True)},
    "Part": {
        "text": TEXT,
        "thought": FLAG,
        "inlineData": Field("Blob"),
        "functionCall": Field("FunctionCall"),
        "functionResponse": Field("FunctionResponse"),
        "videoMetadata": OBJECT,
        "mediaResolution": ANY,
        "audioTranscription": ANY,
        "mediaProcessing": ANY,
        **_ignored(
            "thoughtSignature",
            "partMetadata",
            "speechMetadata",
            "documentMetadata",
            "spreadsheetMetadata",
            "audioMetadata",
        ),
        **_refused("the node cannot fetch files from Google or elsewhere", "fileData"),
        **_refused(_CODE, "executableCode", "codeExecutionResult"),
        **_refused(_GOOGLE_TOOL, "toolCall", "toolResponse"),
    },
    "Blob": {"mimeType": TEXT, "data": TEXT, "displayName": IGNORED},
    "FunctionCall": {
        "id": TEXT,
        "name": TEXT,
        "args": OBJECT,
        "partialArgs": IGNORED,
        "willContinue": FLAG,
    },
    "FunctionResponse": {
        "id": TEXT,
        "name": TEXT,
        "response": OBJECT,
        "willContinue": FLAG,
        "scheduling": IGNORED,
        **_refused("nodes take text only as the result of a function", "parts"),
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
        # A field of its own in the proto, and the first that SDKs knew.
        "_responseJsonSchema": ANY,
        "responseModalities": Field(MODALITIES, many=True),
        "thinkingConfig": Field("ThinkingConfig"),
        "mediaResolution": Field(RESOLUTIONS),
        "imageConfig": OBJECT,
        "enableEnhancedCivicAnswers": IGNORED,
        **_refused("the node does not speak", "speechConfig"),
        **_refused("the node does not transcribe", "audioTranscriptionConfig"),
        **_refused("the node takes no time stamps with audio", "audioTimestamp"),
    },
    "ThinkingConfig": {
        "includeThoughts": FLAG,
        "thinkingBudget": INTEGER,
        "thinkingLevel": Field(LEVELS),
    },
    "EmbedContentRequest": {
        "model": TEXT,
        "content": Field("Content"),
        "title": TEXT,
        "taskType": Field(TASKS),
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
