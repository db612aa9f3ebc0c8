#!/usr/bin/env bash
# Google's own command line judges the embedded Google Cloud: every command that
# keyturn's users need of it, then two rotations from the outside. Needs gcloud
# and a built ./keyturn. Takes about three minutes.
set -uo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'kill "$world" 2>/dev/null; wait "$world" 2>/dev/null; rm -rf "$work"' EXIT
gcp=127.0.0.1:${KEYTURN_JUDGE_PORT:-18790}
./keyturn local --gcp-addr "$gcp" --functions-addr 127.0.0.1:0 --project local >"$work/world.out" 2>"$work/world.err" &
world=$!
for _ in $(seq 100); do grep -q Ctrl-C "$work/world.out" && break; sleep 0.1; done
grep -q Ctrl-C "$work/world.out" || { echo "keyturn local did not start:"; cat "$work/world.err"; exit 1; }
eval "$(./keyturn local env --gcp-addr "$gcp" --project local)"

passed=0 failed=0
# ok COMMAND…: it must succeed. Its output is in $out.
ok() {
  if out=$("$@" 2>&1); then passed=$((passed + 1)); else
    failed=$((failed + 1)); printf 'FAILED: %s\n%s\n' "$*" "$out"; fi
}
# fails TEXT COMMAND…: it must fail and say TEXT.
fails() {
  local text=$1; shift
  if out=$("$@" 2>&1); then failed=$((failed + 1)); printf 'SUCCEEDED, should say %s: %s\n%s\n' "$text" "$*" "$out"
  elif grep -qF -- "$text" <<<"$out"; then passed=$((passed + 1))
  else failed=$((failed + 1)); printf 'FAILED WITHOUT SAYING %s: %s\n%s\n' "$text" "$*" "$out"; fi
}
# says TEXT: the last output must hold TEXT.
says() {
  if grep -qF -- "$1" <<<"$out"; then passed=$((passed + 1)); else
    failed=$((failed + 1)); printf 'DOES NOT SAY %s:\n%s\n' "$1" "$out"; fi
}
# post PATH JSON: a plain call, where it is the effect that counts.
post() { curl -sSf -o /dev/null -X POST -H 'Content-Type: application/json' "${@:3}" -d "$2" "http://$gcp$1"; }
# group NAME: runs the function of that name beside the others, with a gcloud
# configuration of its own.
group() {
  ( export CLOUDSDK_CONFIG=$work/config-$1; "$1"; echo "$1: $passed passed, $failed failed"; [ "$failed" -eq 0 ] ) >"$work/$1.log" 2>&1 &
  groups+=("$1:$!")
}
groups=()

secrets() {
  echo payload1 >"$work/data.txt"
  ok gcloud pubsub topics create rot
  ok gcloud secrets create s1 --replication-policy=automatic --labels=team=sec --set-annotations=a=b --topics=projects/local/topics/rot --next-rotation-time=2099-01-01T00:00:00Z --rotation-period=2592000s --version-destroy-ttl=86400s
  fails 'already exists' gcloud secrets create s1 --replication-policy=automatic
  ok gcloud secrets versions add s1 --data-file="$work/data.txt"
  ok gcloud secrets versions add s1 --data-file="$work/data.txt"
  ok gcloud secrets replication get s1
  ok gcloud secrets locations list
  ok gcloud secrets create s2 --data-file="$work/data.txt"
  ok gcloud secrets create s3 --locations=us-central1,us-east1 --replication-policy=user-managed --ttl=3600s
  ok gcloud secrets create s4 --location=us-central1
  ok gcloud secrets list --filter=labels.team=sec --format='value(name)'; says s1
  ok gcloud secrets describe s1 --format=json; says rotationPeriod
  ok gcloud secrets versions access latest --secret=s1; says payload1
  ok gcloud secrets versions access 1 --secret=s1 --format=json
  ok gcloud secrets versions access latest --secret=s1 --out-file="$work/out.bin"
  ok cmp "$work/data.txt" "$work/out.bin"
  ok gcloud secrets versions list s1
  ok gcloud secrets versions describe 1 --secret=s1
  ok gcloud secrets update s1 --update-version-aliases=current=2,previous=1
  ok gcloud secrets versions access current --secret=s1; says payload1
  ok gcloud secrets update s1 --remove-version-aliases=previous
  ok gcloud secrets update s1 --clear-version-aliases
  ok gcloud secrets versions disable 1 --secret=s1
  fails 'is in DISABLED state' gcloud secrets versions access 1 --secret=s1
  ok gcloud secrets versions enable 1 --secret=s1
  fails 'FAILED_PRECONDITION' gcloud secrets versions destroy 1 --secret=s1 --etag='"1"'
  ok gcloud secrets versions destroy 1 --secret=s1
  ok gcloud secrets update s1 --next-rotation-time=2098-01-01T00:00:00Z --rotation-period=2592000s
  ok gcloud secrets update s1 --remove-rotation-period --remove-next-rotation-time
  fails 'FAILED_PRECONDITION' gcloud secrets update s1 --update-labels=x=y --etag='"1600000000"'
  ok gcloud secrets update s1 --update-labels=x=y
  ok gcloud secrets update s1 --update-annotations=x=y
  ok gcloud secrets update s1 --add-topics=projects/local/topics/rot
  ok gcloud secrets update s1 --version-destroy-ttl=86400s
  ok gcloud secrets get-iam-policy s1
  ok gcloud secrets add-iam-policy-binding s1 --member=user:a@example.com --role=roles/secretmanager.secretAccessor
  echo '{"bindings":[{"role":"roles/secretmanager.secretAccessor","members":["user:a@b.com"]}]}' >"$work/pol.json"
  ok gcloud secrets set-iam-policy s1 "$work/pol.json"
  fails 'NOT_FOUND' gcloud secrets describe nosuch
  ok gcloud secrets delete s1
}

iam() {
  local sa=rot@local.iam.gserviceaccount.com
  ok gcloud iam service-accounts create rot --display-name=rotator
  ok gcloud iam service-accounts list
  ok gcloud iam service-accounts describe "$sa"
  ok gcloud iam service-accounts get-iam-policy "$sa"
  ok gcloud iam service-accounts keys create "$work/key.json" --iam-account="$sa"
  local id; id=$(sed -n 's/.*"private_key_id": *"\([0-9a-f]*\)".*/\1/p' "$work/key.json")
  ok ./keyturn local advance 10m --gcp-addr "$gcp"
  ok gcloud iam service-accounts keys list --iam-account="$sa" --managed-by=user --format=json; says "$id"
  ok gcloud iam service-accounts keys disable "$id" --iam-account="$sa"
  ok gcloud iam service-accounts keys enable "$id" --iam-account="$sa"
  ok gcloud beta iam service-accounts keys get-public-key "$id" --iam-account="$sa" --output-file="$work/pub.out"
  ok openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/up.key" -out "$work/pub.crt" -days 30 -subj /CN=up
  ok gcloud iam service-accounts keys upload "$work/pub.crt" --iam-account="$sa"
  ok gcloud iam service-accounts keys delete "$id" --iam-account="$sa"
  for _ in $(seq 9); do ok post "/v1/projects/local/serviceAccounts/$sa/keys" '{}'; done
  fails 'FAILED_PRECONDITION: Precondition check failed.' gcloud iam service-accounts keys create "$work/more.json" --iam-account="$sa"
  ok gcloud iam service-accounts disable "$sa"
  ok gcloud iam service-accounts delete "$sa"
  ok gcloud projects describe local
  ok gcloud projects get-iam-policy local
}

orgpolicies() {
  local constraint=iam.managed.disableServiceAccountKeyUpload
  ok gcloud org-policies describe $constraint --effective --project=local; says 'enforce: false'
  fails 'NOT_FOUND' gcloud org-policies describe $constraint --project=local
  echo '{"name":"projects/local/policies/'$constraint'","spec":{"rules":[{"enforce":true}]}}' >"$work/policy.json"
  ok gcloud org-policies set-policy "$work/policy.json"
  ok gcloud org-policies describe $constraint --effective --project=local; says 'enforce: true'
  ok gcloud org-policies list --project=local; says $constraint
  ok gcloud org-policies reset $constraint --project=local
  ok gcloud org-policies delete $constraint --project=local
}

inventory() {
  local sa=hmac@local.iam.gserviceaccount.com
  ok gcloud projects list --format='value(projectId)'; says local
  ok gcloud organizations list; says example.com
  ok gcloud resource-manager folders list --organization=100000000001
  ok gcloud asset search-all-resources --scope=organizations/100000000001 --asset-types=cloudresourcemanager.googleapis.com/Project; says projectId
  ok gcloud iam service-accounts create hmac
  ok gcloud policy-intelligence query-activity --project=local --activity-type=serviceAccountKeyLastAuthentication --query-filter="activities.full_resource_name=\"//iam.googleapis.com/projects/local/serviceAccounts/$sa/keys/$(printf '%040d' 0)\""
  ok gcloud storage hmac create "$sa"
  ok gcloud storage hmac list --format='value(accessId)'; local id=${out##*$'\n'}
  fails "'ACTIVE' state" gcloud storage hmac delete "$id"
  ok gcloud storage hmac update "$id" --deactivate
  ok gcloud storage hmac delete "$id"
  ok gcloud storage hmac list --all; says DELETED
  ok gcloud iam oauth-clients create web-app --location=global --client-type=confidential-client --allowed-scopes=https://www.googleapis.com/auth/cloud-platform --allowed-redirect-uris=https://a.example --allowed-grant-types=authorization-code-grant
  ok gcloud iam oauth-clients list --location=global; says web-app
  ok gcloud iam oauth-clients credentials create first --oauth-client=web-app --location=global
  ok gcloud iam oauth-clients credentials list --oauth-client=web-app --location=global; says first
  fails FAILED_PRECONDITION gcloud iam oauth-clients credentials delete first --oauth-client=web-app --location=global
  ok gcloud iam oauth-clients credentials update first --oauth-client=web-app --location=global --disabled
  ok ./keyturn inventory --json; says web-app/first
  ok gcloud iam oauth-clients credentials delete first --oauth-client=web-app --location=global
  ok gcloud iam oauth-clients delete web-app --location=global
}

apikeys() {
  ok gcloud beta services api-keys create --display-name=k --key-id=my-key --annotations=a=b
  ok gcloud services api-keys create --display-name=k --api-target=service=translate.googleapis.com --allowed-ips=10.0.0.0/8
  ok gcloud services api-keys list
  ok gcloud services api-keys list --show-deleted
  ok gcloud services api-keys describe my-key
  ok gcloud services api-keys get-key-string my-key --format='value(keyString)'
  local key=$out
  ok ./keyturn local advance 10m --gcp-addr "$gcp"
  ok gcloud services api-keys lookup "$key"; says my-key
  ok gcloud services api-keys update my-key --display-name=k2
  ok gcloud services api-keys delete my-key
  ok gcloud services api-keys undelete my-key
  fails 'NOT_FOUND' gcloud services api-keys describe nosuch
}

logs() {
  ok gcloud logging write t hello --severity=WARNING
  ok gcloud logging write t '{"a":1}' --payload-type=json
  ok gcloud logging read 'severity>=INFO textPayload=hello' --limit=5 --format=json; says hello
  ok gcloud logging read 'protoPayload.methodName="google.iam.admin.v1.CreateServiceAccountKey"' --freshness=7d --order=asc
  ok gcloud logging logs list
  ok gcloud pubsub topics create sunk
  ok gcloud logging sinks create s pubsub.googleapis.com/projects/local/topics/sunk --log-filter='protoPayload.serviceName=iam.googleapis.com'
  ok gcloud logging sinks list
  ok gcloud logging sinks describe s
  ok gcloud logging sinks update s --log-filter='severity>=ERROR'
  ok gcloud logging metrics create m --description=d --log-filter='severity>=ERROR'
  ok gcloud logging metrics list
  ok gcloud logging buckets list --location=global
}

pubsub() {
  ok gcloud pubsub topics create ttt
  ok gcloud pubsub topics create dlq
  ok gcloud pubsub topics list
  ok gcloud pubsub topics describe ttt
  ok gcloud pubsub subscriptions create sub --topic=ttt --enable-message-ordering --ack-deadline=30 --dead-letter-topic=dlq --max-delivery-attempts=5 --message-filter='attributes.a="b"'
  ok gcloud pubsub subscriptions create push --topic=ttt --push-endpoint=http://127.0.0.1:9/x --push-auth-service-account=a@b.iam.gserviceaccount.com
  ok gcloud pubsub topics publish ttt --message=hi --attribute=a=b --ordering-key=k
  ok gcloud pubsub subscriptions pull sub --auto-ack --limit=1 --format='value(message.data.decode(base64))'; says hi
  ok gcloud pubsub subscriptions list
  ok gcloud pubsub subscriptions describe sub
  ok gcloud pubsub subscriptions modify-push-config push --push-endpoint=http://127.0.0.1:9/y
  ok gcloud pubsub subscriptions delete push
  ok gcloud pubsub subscriptions delete sub
  ok gcloud pubsub topics delete ttt
  fails 'NOT_FOUND' gcloud pubsub topics describe ttt
}

scheduler() {
  local at=--location=us-central1
  ok gcloud pubsub topics create tick
  ok gcloud scheduler jobs create pubsub j2 $at '--schedule=0 4 1 1 *' --topic=tick --message-body='{}'
  ok gcloud scheduler jobs create http j3 $at '--schedule=0 4 1 1 *' --uri=http://127.0.0.1:9/ --http-method=POST --message-body='{}' --oidc-service-account-email=a@b.iam.gserviceaccount.com
  ok gcloud scheduler jobs update http j3 $at '--schedule=0 5 1 1 *'
  ok gcloud scheduler jobs list $at; says keyturn-sweep
  ok gcloud scheduler jobs describe j3 $at; says '0 5 1 1 *'
  ok gcloud scheduler jobs run j2 $at
  ok gcloud scheduler jobs pause j2 $at
  ok gcloud scheduler jobs resume j2 $at
  ok gcloud scheduler jobs delete j2 $at
  ok gcloud scheduler locations list
  fails 'INVALID_ARGUMENT' gcloud scheduler jobs create pubsub j4 $at '--schedule=61 * * * *' --topic=tick --message-body='{}'
}

# functions: gcloud calls them as a service account, whom the function knows by its token.
functions() {
  local sa=oncall@local.iam.gserviceaccount.com at=--region=us-central1
  ok gcloud iam service-accounts create oncall
  ok gcloud iam service-accounts keys create "$work/oncall.json" --iam-account=$sa
  ok gcloud projects add-iam-policy-binding local --member=serviceAccount:$sa --role=roles/cloudfunctions.viewer # gcloud asks for the function's URL
  ok ./keyturn local advance 10m --gcp-addr "$gcp"
  ok gcloud functions list --v2; says keyturn-rotate-http
  unset CLOUDSDK_AUTH_ACCESS_TOKEN
  ok gcloud auth activate-service-account --key-file="$work/oncall.json"
  ok gcloud functions call keyturn-rotate-http --gen2 $at --data='{"command":"inspect"}'
  ok gcloud functions call keyturn-audit-http --gen2 $at --data='{"command":"scan","entries":[]}'; says '"entries":0'
  ok gcloud functions call keyturn-alert-http --gen2 $at --data='{"command":"silence","project":"drill","for":"1h","why":"a drill"}'; says "\"by\":\"$sa\""
  fails '404 Client Error' gcloud functions call keyturn-rotate-http --gen2 $at --data='{"command":"status","secret":"projects/local/secrets/nosuch"}'
  fails '400 Client Error' gcloud functions call keyturn-alert-http --gen2 $at --data='{"command":"nosuch"}'
}

# setup: all that a deployment needs, in a project that has nothing yet; then nothing more,
# and then none of it. The doctor misses nothing but what a deployment makes.
setup() {
  local it=(./keyturn setup --project fresh --wif github:acme/keyturn) found
  ok "${it[@]}" --apply; says 'not yet: function keyturn-rotate is not deployed'; says '+ topic keyturn-dead'
  ok "${it[@]}" --apply; says 'nothing to do: all is as it should be'
  ok gcloud iam workload-identity-pools providers describe github --project=fresh --location=global --workload-identity-pool=keyturn --format='value(attributeCondition)'
  says "assertion.repository=='acme/keyturn' && assertion.ref=='refs/heads/main'"
  found=$(./keyturn doctor --project fresh | grep -E '^ *[0-9]+\. ')
  ok grep -c 'is not deployed' <<<"$found"
  fails '' grep -vE 'function keyturn-[a-z-]+ is not deployed|job keyturn-[a-z-]+ does not exist' <<<"$found"
  echo fresh >"$work/yes"
  ok "${it[@]}" --undo --apply <"$work/yes"; says '- service account keyturn-rotate'; says 'What stays:'
  fails '' grep keyturn- <(gcloud projects get-iam-policy fresh; gcloud pubsub topics list --project=fresh; gcloud iam service-accounts list --project=fresh)
  ok gcloud iam roles undelete keyturnRotate --project=fresh
  ok gcloud iam workload-identity-pools undelete keyturn --project=fresh --location=global
}

# deployed: what starts functions that are deployed is mended, here by the printed script.
deployed() {
  ./keyturn setup | sed -n '/^set -eu\|^has()\|^project_number=/p; /^# what starts functions/,$p' >"$work/setup.sh"
  ok sh "$work/setup.sh"
  ok gcloud pubsub subscriptions describe eventarc-keyturn-rotate; says 'minimumBackoff: 10s'
  fails '' grep -E 'subscription|lacks|more than' <(./keyturn doctor)
}

for g in setup deployed secrets iam orgpolicies apikeys inventory logs pubsub scheduler functions; do group "$g"; done
bad=0
for g in "${groups[@]}"; do wait "${g#*:}" || bad=1; cat "$work/${g%%:*}.log"; done

# A rotation as its users see it.
export CLOUDSDK_CONFIG=$work/config-story
advance() { ok ./keyturn local advance "$1" --gcp-addr "$gcp"; }
sweep() { ok gcloud scheduler jobs run keyturn-sweep --location=us-central1; sleep 1; }
# with_key FILE: what gcloud says when it logs in with a key file.
with_key() { env -u CLOUDSDK_AUTH_ACCESS_TOKEN CLOUDSDK_CONFIG="$(mktemp -d -p "$work")" bash -c 'gcloud auth activate-service-account --key-file="$0" && gcloud auth print-access-token' "$1"; }

sa=billing@local.iam.gserviceaccount.com
ok gcloud pubsub subscriptions create watch --topic=keyturn-alerts
ok gcloud iam service-accounts create billing
ok gcloud iam service-accounts keys create "$work/old.json" --iam-account=$sa
ok gcloud secrets create billing-key --replication-policy=automatic
ok gcloud secrets versions add billing-key --data-file="$work/old.json"
ok gcloud services api-keys create --display-name=gemini --key-id=gemini
ok gcloud services api-keys get-key-string gemini --format='value(keyString)'
printf %s "$out" >"$work/old.key"
ok gcloud secrets create gemini-key --data-file="$work/old.key"
advance 10m
ok with_key "$work/old.json"
ok ./keyturn adopt billing-key --service-account $sa --period 72h --overlap 6h --quarantine 24h --evidence ignored # by the clock: the old keys are tried below
ok ./keyturn adopt gemini-key --api-key gemini --period 72h --overlap 6h --quarantine 24h --evidence ignored # by the clock: the old keys are tried below
advance 73h # the period passes; the schedule's own sweeps run on the way
sweep
advance 10m
sweep
ok gcloud secrets versions access current --secret=billing-key --out-file="$work/new.json"
fails '' cmp -s "$work/old.json" "$work/new.json"
ok with_key "$work/new.json"; says ya29.
ok gcloud secrets versions access latest --secret=gemini-key
newkey=$out
ok test "$newkey" != "$(cat "$work/old.key")"
call() { curl -sS -H "x-goog-api-key: $1" "http://$gcp/v1beta/models"; }
ok call "$newkey"; says gemini-2.5-flash
ok with_key "$work/old.json" # both are valid in the overlap
ok call "$(cat "$work/old.key")"; says gemini-2.5-flash
advance 7h
sweep
fails 'invalid_grant: Invalid JWT Signature.' with_key "$work/old.json"
ok call "$(cat "$work/old.key")"; says API_KEY
ok with_key "$work/new.json"

# A stolen key that looks around raises an alert that any subscriber can read.
token=$(with_key "$work/new.json" 2>/dev/null | tail -1)
for n in $(seq 12); do
  ok post /v1/projects/local/serviceAccounts "{\"accountId\":\"victim-$n\"}"
  fails 403 post "/v1/projects/-/serviceAccounts/victim-$n@local.iam.gserviceaccount.com:generateAccessToken" \
    '{"scope":["https://www.googleapis.com/auth/cloud-platform"]}' -H "Authorization: Bearer $token"
done
sleep 1
ok gcloud pubsub subscriptions pull watch --auto-ack --limit=10 --format='value(message.data.decode(base64))'
says "$sa"
ok ./keyturn status --json; says '"current"'
echo "story: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$bad" -eq 0 ]
