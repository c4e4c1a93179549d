# SPDX-License-Identifier: Apache-2.0
"""The document of what the collector serves, and whether an answer is as it says: the part of JSON Schema that it uses."""
import datetime
import json

from gecko import get

TYPES = {"string": str, "number": (int, float), "integer": int, "boolean": bool, "null": type(None), "array": list, "object": dict}
KNOWN = {"$ref", "anyOf", "type", "format", "items", "minItems", "maxItems", "properties", "required", "additionalProperties"}


class Document:
    def __init__(self, port):
        self.whole = json.loads(get(port, "/api/openapi.json"))
        self.paths = self.whole["paths"]

    def follow(self, ref):
        at = self.whole
        for part in ref.removeprefix("#/").split("/"):
            at = at[part]
        return at

    def response(self, path, status, method="get"):
        response = self.paths[path][method]["responses"][str(status)]
        return self.follow(response["$ref"]) if "$ref" in response else response

    def check(self, value, schema, where="$"):
        """Raises AssertionError where the value is not as the schema says."""
        assert set(schema) <= KNOWN, f"{where}: this validator does not know {set(schema) - KNOWN}"
        if "$ref" in schema:
            self.check(value, self.follow(schema["$ref"]), where)
        if "anyOf" in schema:
            self.check_any(value, schema["anyOf"], where)
        if "type" in schema:
            is_right = isinstance(value, TYPES[schema["type"]]) and (schema["type"] == "boolean" or not isinstance(value, bool))
            assert is_right, f"{where}: {value!r} is no {schema['type']}"
        if schema.get("format") == "date-time":
            datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
        if isinstance(value, list):
            assert schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)), where
            for n, item in enumerate(value):
                self.check(item, schema.get("items", {}), f"{where}[{n}]")
        if isinstance(value, dict):
            assert set(schema.get("required", [])) <= set(value), f"{where}: lacks {set(schema['required']) - set(value)}"
            for key, item in value.items():
                one = schema.get("properties", {}).get(key, schema.get("additionalProperties", {}))
                assert one is not False, f"{where}: {key} is not in the document"
                self.check(item, one, f"{where}.{key}")

    def check_any(self, value, schemas, where):
        why = []
        for schema in schemas:
            try:
                return self.check(value, schema, where)
            except AssertionError as error:
                why.append(str(error))
        raise AssertionError("; ".join(why))
