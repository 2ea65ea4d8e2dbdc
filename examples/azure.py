"""Azure OpenAI. Needs AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY and OPENAI_API_VERSION.

A deployment may have any name: the mapping says which model it is priced as.
"""

import os

from openai import AzureOpenAI

from payi_otel import payi_instrument, track

DEPLOYMENT = os.environ.get("AZURE_OPENAI_DEPLOYMENT", "my-deployment")

payi_instrument(
    config={
        "openai_config": {
            "model_mappings": [{"model": DEPLOYMENT, "price_as_resource": "gpt-4o-mini"}],
        }
    }
)


@track(use_case_name="contract_search", user_id="legal")
def search(question: str) -> None:
    with AzureOpenAI() as client:
        stream = client.chat.completions.create(
            model=DEPLOYMENT, messages=[{"role": "user", "content": question}], stream=True
        )
        for chunk in stream:
            if chunk.choices:
                print(chunk.choices[0].delta.content or "", end="")


search("Which contracts end this year?")
