package scanbench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"sync"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/event/logfile"
	"github.com/bytedance/sonic"
)

// The names of the rows. JSON has them too.
const (
	memory       = "raw memory scan"
	simdValidate = "SIMD validate (sonic.Valid)"
	simdTwoCores = "SIMD validate, 2 cores"
	sonicStruct  = "sonic to struct"
	jsonStruct   = "encoding/json to struct"
	jq           = "jq"
	scanner      = "keyturn, scanner alone"
	detectors    = "keyturn, all detectors"
	twoCores     = "keyturn, all detectors, 2 cores"
)

// row is one way to go through the lines of a file.
type row struct {
	name  string
	cores int
	share int // the row goes through 1/share of the lines, where it would take too long
	run   func(context.Context, input) error
}

// input is a file as the rows take it.
type input struct {
	data  []byte
	lines [][]byte
}

// rows are all ways that this machine can go.
func rows() []row {
	all := []row{
		{memory, 1, 1, scanMemory},
		{simdValidate, 1, 1, eachLine(validate)},
		{sonicStruct, 1, 1, eachLine(func(line []byte) error { return sonic.Unmarshal(line, &logEntry{}) })},
		{jsonStruct, 1, 8, eachLine(func(line []byte) error { return json.Unmarshal(line, &logEntry{}) })},
		{scanner, 1, 1, scan},
		{detectors, 1, 1, detectAll},
		{twoCores, 2, 1, detectAll},
		{simdTwoCores, 2, 1, inHalves(eachLine(validate))},
	}
	if _, err := exec.LookPath("jq"); err == nil {
		all = append(all, row{jq, 1, 16, runJQ})
	}
	return all
}

// eachLine goes from line to line, each of which read takes alone.
func eachLine(read func([]byte) error) func(context.Context, input) error {
	return func(_ context.Context, in input) error {
		for n, line := range in.lines {
			if err := read(line); err != nil {
				return fmt.Errorf("line %d: %w", n+1, err)
			}
		}
		return nil
	}
}

// inHalves goes through both halves at once.
func inHalves(run func(context.Context, input) error) func(context.Context, input) error {
	return func(ctx context.Context, in input) error {
		half := len(in.lines) / 2
		var failed [2]error
		var both sync.WaitGroup
		both.Go(func() { failed[0] = run(ctx, input{lines: in.lines[:half]}) })
		both.Go(func() { failed[1] = run(ctx, input{lines: in.lines[half:]}) })
		both.Wait()
		return errors.Join(failed[:]...)
	}
}

// scanMemory counts line breaks: no reader of lines can be faster.
func scanMemory(_ context.Context, in input) error {
	if bytes.Count(in.data, []byte("\n")) == 0 {
		return errNoLines
	}
	return nil
}

var errInvalid = errors.New("sonic takes it for no valid JSON")

func validate(line []byte) error {
	if !sonic.Valid(line) {
		return errInvalid
	}
	return nil
}

func scan(_ context.Context, in input) error {
	var d event.Decoder
	var e detect.Entry
	return eachLine(func(line []byte) error { return d.Decode(line, &e) })(nil, in)
}

// detectAll is what 'keyturn audit replay' does with a file, but for the disk.
func detectAll(ctx context.Context, in input) error {
	r, err := logfile.NewReader("entries", bytes.NewReader(in.data), logfile.Config{})
	if err != nil {
		return err
	}
	engine := detect.New(detect.Config{})
	var found []detect.Finding
	return logfile.Each(ctx, r, func(b *logfile.Batch) error {
		for _, reject := range b.Rejects {
			return reject
		}
		for i := range b.Entries {
			found = engine.Observe(&b.Entries[i], found[:0])
		}
		return nil
	})
}

// runJQ takes of each line what the simplest of rules wants.
func runJQ(ctx context.Context, in input) error {
	cmd := exec.CommandContext(ctx, "jq", "-c", "select(.protoPayload.status.code == 7) | [.protoPayload.authenticationInfo.principalEmail, .protoPayload.methodName]")
	cmd.Stdin = bytes.NewReader(in.data)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running jq: %w", err)
	}
	return nil
}

// logEntry is what others would declare to read what keyturn reads.
type logEntry struct {
	LogName          string `json:"logName"`
	InsertID         string `json:"insertId"`
	Timestamp        string `json:"timestamp"`
	ReceiveTimestamp string `json:"receiveTimestamp"`
	Resource         struct {
		Labels map[string]string `json:"labels"`
	} `json:"resource"`
	ProtoPayload struct {
		Type         string `json:"@type"`
		ServiceName  string `json:"serviceName"`
		MethodName   string `json:"methodName"`
		ResourceName string `json:"resourceName"`
		Status       struct {
			Code    int32  `json:"code"`
			Message string `json:"message"`
			Details []struct {
				Reason     string `json:"reason"`
				Violations []struct {
					Type string `json:"type"`
				} `json:"violations"`
			} `json:"details"`
		} `json:"status"`
		AuthenticationInfo struct {
			PrincipalEmail               string `json:"principalEmail"`
			PrincipalSubject             string `json:"principalSubject"`
			ServiceAccountKeyName        string `json:"serviceAccountKeyName"`
			ServiceAccountDelegationInfo []struct {
				PrincipalSubject    string `json:"principalSubject"`
				FirstPartyPrincipal struct {
					PrincipalEmail string `json:"principalEmail"`
				} `json:"firstPartyPrincipal"`
			} `json:"serviceAccountDelegationInfo"`
			OAuthInfo struct {
				OAuthClientID string `json:"oauthClientId"`
			} `json:"oauthInfo"`
		} `json:"authenticationInfo"`
		AuthorizationInfo []struct {
			Permission string `json:"permission"`
			Resource   string `json:"resource"`
			Granted    bool   `json:"granted"`
		} `json:"authorizationInfo"`
		RequestMetadata struct {
			CallerIP                string `json:"callerIp"`
			CallerSuppliedUserAgent string `json:"callerSuppliedUserAgent"`
		} `json:"requestMetadata"`
		Request struct {
			Permissions []string `json:"permissions"`
		} `json:"request"`
		Response struct {
			Name string `json:"name"`
		} `json:"response"`
		ServiceData struct {
			PolicyDelta struct {
				BindingDeltas []struct {
					Action string `json:"action"`
					Role   string `json:"role"`
					Member string `json:"member"`
				} `json:"bindingDeltas"`
			} `json:"policyDelta"`
		} `json:"serviceData"`
		Metadata struct {
			ViolationReason string `json:"violationReason"`
		} `json:"metadata"`
	} `json:"protoPayload"`
}
