"""The messages of a Gemini request and their fields: from the published protos
(``google.ai.generativelanguage.v1beta``) and,
where these lag behind the service, from the official SDK's types and from recorded traffic."""

from collections.abc import Mapping

MESSAGES: Mapping[str, str] = {
    "GenerateContentRequest": (
        "model:string system_instruction:Content contents:[]Content tools:[]Tool tool_config:ToolConfig "
        "safety_settings:[]SafetySetting generation_config:GenerationConfig cached_content:string service_tier:string "
        "store:bool labels:any"
    ),
    "Content": "parts:[]Part role:string",
    "Part": (
        "text:string inline_data:Blob function_call:FunctionCall function_response:FunctionResponse file_data:FileData "
        "executable_code:ExecutableCode code_execution_result:CodeExecutionResult video_metadata:VideoMetadata "
        "thought:bool thought_signature:bytes part_metadata:any tool_call:ToolCall tool_response:ToolResponse "
        "media_resolution:any media_processing:any audio_metadata:any document_metadata:any"
    ),
    "Blob": "mime_type:string data:bytes",
    "FunctionCall": "id:string name:string args:object",
    "FunctionResponse": (
        "id:string name:string response:object parts:[]FunctionResponsePart will_continue:bool scheduling:string"
    ),
    "FunctionResponsePart": "inline_data:FunctionResponseBlob",
    "FunctionResponseBlob": "mime_type:string data:bytes display_name:string",
    "FileData": "mime_type:string file_uri:string",
    "ExecutableCode": "language:string code:string id:string",
    "CodeExecutionResult": "outcome:string output:string id:string",
    "ToolCall": "id:string tool_type:string args:object",
    "ToolResponse": "id:string tool_type:string response:object",
    "VideoMetadata": "start_offset:string end_offset:string fps:number",
    "Tool": (
        "function_declarations:[]FunctionDeclaration google_search_retrieval:any code_execution:object "
        "google_search:any computer_use:any url_context:any file_search:any google_maps:any mcp_servers:any"
    ),
    "FunctionDeclaration": (
        "name:string description:string parameters:Schema parameters_json_schema:any response:Schema "
        "response_json_schema:any behavior:string"
    ),
    "Schema": (
        "type:Type format:string title:string description:string nullable:bool enum:[]string items:Schema "
        "max_items:integer min_items:integer properties:{}Schema required:[]string min_properties:integer "
        "max_properties:integer minimum:number maximum:number min_length:integer max_length:integer pattern:string "
        "example:any any_of:[]Schema property_ordering:[]string default:any"
    ),
    "ToolConfig": (
        "function_calling_config:FunctionCallingConfig retrieval_config:any include_server_side_tool_invocations:bool"
    ),
    "FunctionCallingConfig": "mode:Mode allowed_function_names:[]string",
    "SafetySetting": "category:HarmCategory threshold:HarmBlockThreshold",
    "GenerationConfig": (
        "candidate_count:integer stop_sequences:[]string max_output_tokens:integer temperature:number top_p:number "
        "top_k:number seed:integer response_mime_type:string response_schema:Schema response_json_schema:any "
        "response_json_schema_ordered:any presence_penalty:number frequency_penalty:number response_logprobs:bool "
        "logprobs:integer enable_enhanced_civic_answers:bool response_modalities:[]Modality speech_config:any "
        "thinking_config:ThinkingConfig image_config:any media_resolution:string response_format:any"
    ),
    "ThinkingConfig": "include_thoughts:bool thinking_budget:integer thinking_level:ThinkingLevel",
}
"""Field and type by message. ``[]`` is a list, ``{}`` a map by name; ``object`` and ``any`` are not looked into."""

ENUMS: Mapping[str, tuple[str, ...]] = {
    "Type": ("TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"),
    "Mode": ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"),
    "Modality": ("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO", "VIDEO"),
    "ThinkingLevel": ("THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"),
    "HarmCategory": (
        *("HARM_CATEGORY_UNSPECIFIED", "HARM_CATEGORY_DEROGATORY", "HARM_CATEGORY_TOXICITY", "HARM_CATEGORY_VIOLENCE"),
        *("HARM_CATEGORY_SEXUAL", "HARM_CATEGORY_MEDICAL", "HARM_CATEGORY_DANGEROUS", "HARM_CATEGORY_HARASSMENT"),
        *("HARM_CATEGORY_HATE_SPEECH", "HARM_CATEGORY_SEXUALLY_EXPLICIT", "HARM_CATEGORY_DANGEROUS_CONTENT"),
        "HARM_CATEGORY_CIVIC_INTEGRITY",
    ),
    "HarmBlockThreshold": (
        *("HARM_BLOCK_THRESHOLD_UNSPECIFIED", "BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH"),
        *("BLOCK_NONE", "OFF"),
    ),
}

LENIENT_ENUMS = ("Type", "ThinkingLevel", "Mode")
"""Their words are taken in lower case too, as recorded requests show."""


def fields_of(message: str) -> dict[str, str]:
    """Return a message's fields and their types."""
    return {name: kind for name, _, kind in (field.partition(":") for field in MESSAGES[message].split(" "))}
