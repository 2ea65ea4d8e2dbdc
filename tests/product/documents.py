"""The code samples of Pay-i's product documents, cut out of the documents themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[3] / "shared" / "product"

# The only change a sample gets.
NEW_IMPORTS = (
    ("from payi.lib.instrument import", "from payi_otel import"),
    ("from payi.lib.helpers import", "from payi_otel import"),
    ("from payi import", "from payi_otel import"),
)

# What a line of a Python sample looks like in these documents; prose does not.
LOOKS_LIKE_CODE = re.compile(
    r"\s*(from payi\b|import payi\b|(payi_|oai_)?client\b.*[(=]|\w+ = (payi_|oai_)?client\.|payi_instrument\("
    r"|with track_context\(|@track\(|def \w+\(|exp_name=|curl )"
)


@dataclass(frozen=True)
class Sample:
    """A sample: its document, its first and last line, and which of the lines equal to these are meant."""

    document: str
    first: str
    last: str
    first_is: int = 1
    last_is: int = 1

    def lines(self) -> range:
        """Line numbers in the document, from 0."""
        lines = [line.strip() for line in read(self.document)]
        start = _nth(lines, self.first, self.first_is, 0)
        return range(start, _nth(lines, self.last, self.last_is, start) + 1)

    def text(self) -> str:
        """The sample as the document has it."""
        lines = read(self.document)
        return "\n".join(lines[number] for number in self.lines()).strip()

    def python(self) -> str:
        """The sample with its imports changed."""
        code = self.text()
        for old, new in NEW_IMPORTS:
            code = code.replace(old, new)
        return code + "\n"


def read(document: str) -> list[str]:
    """The document's lines."""
    return (FOLDER / document).read_text(encoding="utf-8").splitlines()


KPIS = "000_python_sdk_kpis.txt"
WORKING = "001_working_with_kpis.txt"
USE_CASES = "002_use_cases.txt"
EXPERIENCES = "003_experiences.txt"

DEFINE_AND_SCORE = Sample(KPIS, "from payi import Payi", ")", last_is=2)
SCORE = Sample(KPIS, "client.use_cases.kpis.create(", ")", first_is=2)
GET_CONTEXT = Sample(
    KPIS, "from payi.lib.instrument import get_context", 'print("No use case active in current context")'
)
CURL = Sample(KPIS, "curl --request PUT \\", "--data '{\"score\":123}'")
DEFINE_AND_RECORD = Sample(WORKING, "from payi import Payi", ")", last_is=2)
CHAT_BOT = Sample(
    WORKING, "# Step 1: Define the KPIs for the Chat-Bot use case type (done once)", ")", last_is=4
)
IMAGE_AD = Sample(
    WORKING, "# Step 1: Define the KPIs for the Image-Ad use case type (done once)", ")", last_is=8
)
PROPERTIES = Sample(WORKING, "# Define the KPI for your use case type", ")", last_is=3)
TRACK = Sample(USE_CASES, "from payi.lib.instrument import payi_instrument", "...", last_is=2)
OWN_ID = Sample(USE_CASES, "from payi.lib.instrument import payi_instrument", "...", first_is=2)
CREATE_INSTANCE = Sample(USE_CASES, "from payi import Payi", "uc_id = uc_response.use_case_id")
CREATE_DEFINITION = Sample(USE_CASES, "from payi import Payi", ")", first_is=2)
EXPERIENCE_TYPE = Sample(EXPERIENCES, 'exp_name="quickstart_experience"', ")")
EXPERIENCE = Sample(
    EXPERIENCES, "# Create an experience of the type", "experience_id = exp_response.experience_id"
)
EXPERIENCE_HEADERS = Sample(
    EXPERIENCES, "exp_response = payi_client.experiences.create(", ")", first_is=2, last_is=3
)

SAMPLES = (
    DEFINE_AND_SCORE,
    SCORE,
    GET_CONTEXT,
    CURL,
    DEFINE_AND_RECORD,
    CHAT_BOT,
    IMAGE_AD,
    PROPERTIES,
    TRACK,
    OWN_ID,
    CREATE_INSTANCE,
    CREATE_DEFINITION,
    EXPERIENCE_TYPE,
    EXPERIENCE,
    EXPERIENCE_HEADERS,
)


def _nth(lines: list[str], wanted: str, which: int, start: int) -> int:
    found = [number for number in range(start, len(lines)) if lines[number] == wanted]
    return found[which - 1]
