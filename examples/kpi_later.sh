#!/bin/sh
# Scores a use case instance by curl: kpi_later.sh <use case id> <stars>. Needs PAYI_API_KEY.
set -eu
curl --fail-with-body --silent --show-error \
    --request PUT "${PAYI_BASE_URL:-https://api.pay-i.com}/api/v1/use_cases/instances/support_mail/$1/kpis/stars" \
    --header "xProxy-Api-Key: $PAYI_API_KEY" \
    --header "Content-Type: application/json" \
    --data "{\"score\": $2}"
