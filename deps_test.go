package keyturn

import (
	_ "cloud.google.com/go/apikeys/apiv2"
	_ "cloud.google.com/go/iam/admin/apiv1"
	_ "cloud.google.com/go/iam/credentials/apiv1"
	_ "cloud.google.com/go/logging"
	_ "cloud.google.com/go/logging/apiv2"
	_ "cloud.google.com/go/logging/logadmin"
	_ "cloud.google.com/go/monitoring/apiv3/v2"
	_ "cloud.google.com/go/pubsub/v2"
	_ "cloud.google.com/go/pubsub/v2/pstest"
	_ "cloud.google.com/go/scheduler/apiv1"
	_ "cloud.google.com/go/secretmanager/apiv1"
	_ "connectrpc.com/vanguard/vanguardgrpc"
	_ "github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	_ "github.com/adhocore/gronx"
	_ "github.com/cenkalti/backoff/v5"
	_ "github.com/goccy/go-yaml"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/jedib0t/go-pretty/v6/table"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/schollz/progressbar/v3"
	_ "github.com/spf13/cobra"
	_ "golang.org/x/oauth2/google"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/time/rate"
	_ "google.golang.org/api/idtoken"
	_ "google.golang.org/genproto/googleapis/cloud/audit"
	_ "google.golang.org/genproto/googleapis/cloud/location"
	"testing"
)

func TestX(t *testing.T) {}
