"""Whether values fit a JSON Schema: reads {"schema": …, "values": […]}, writes a list of the first complaint, or null, of each."""

import json
import sys

from jsonschema import Draft202012Validator

task = json.load(sys.stdin)
Draft202012Validator.check_schema(task["schema"])
validator = Draft202012Validator(task["schema"])
print(json.dumps([next((e.message for e in validator.iter_errors(value)), None) for value in task["values"]]))
