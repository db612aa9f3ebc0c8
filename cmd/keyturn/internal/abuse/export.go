package abuse

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"example.com/keyturn/shared/detect"
)

// Export writes the world's log to path, a LogEntry in JSON on each line, in
// order of arrival; and beside it, under names that it returns, the label of each
// entry that belongs to an episode, and the ledger as it is at the end.
func (w *World) Export(path string) (labels, ledger string, err error) {
	base := strings.TrimSuffix(path, ".ndjson")
	labels, ledger = base+".labels.csv", base+".ledger.json"
	if err := write(path, w.writeLog); err != nil {
		return "", "", err
	}
	if err := write(labels, w.writeLabels); err != nil {
		return "", "", err
	}
	return labels, ledger, write(ledger, func(out io.Writer) error {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(w.Ledger(Start.Add(Days * day)))
	})
}

// write makes a file of what fill writes.
func write(path string, fill func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing the simulated log: %w", err)
	}
	b := bufio.NewWriterSize(f, 1<<20)
	if err := cmp.Or(fill(b), b.Flush()); err != nil {
		return fmt.Errorf("writing %s: %w", path, cmp.Or(err, f.Close()))
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func (w *World) writeLog(out io.Writer) error {
	enc := json.NewEncoder(out)
	for e := range w.Events() {
		if err := enc.Encode(wire(e)); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) writeLabels(out io.Writer) error {
	table := csv.NewWriter(out)
	rows := [][]string{{"insert_id", "episode", "kind", "attack"}}
	for e := range w.Events() {
		if ep := w.Episodes[e.Episode]; e.Episode != 0 && !e.Again {
			rows = append(rows, []string{e.Entry.InsertID, strconv.Itoa(e.Episode), ep.Kind, strconv.FormatBool(ep.Attack)})
		}
	}
	return table.WriteAll(rows)
}

// object is of JSON; what is empty is left out, as Google does.
type object map[string]any

func filled(o object) object {
	for name, v := range o {
		switch v := v.(type) {
		case string:
			if v == "" {
				delete(o, name)
			}
		case object:
			if len(v) == 0 {
				delete(o, name)
			}
		case []object:
			if len(v) == 0 {
				delete(o, name)
			}
		case bool:
			if !v {
				delete(o, name)
			}
		}
	}
	return o
}

// wire is the LogEntry that decodes to an event's entry.
func wire(event *Event) object {
	e := &event.Entry
	labels := object{"project_id": e.Project, "email_id": e.Account}
	return filled(object{
		"logName": e.LogName, "insertId": e.InsertID, "severity": severity(e),
		"timestamp": e.Time.Format(time.RFC3339Nano), "receiveTimestamp": event.Arrival.Format(time.RFC3339Nano),
		"resource": object{"type": resourceType(e), "labels": filled(labels)},
		"protoPayload": filled(object{
			"@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": e.Service, "methodName": e.Method, "resourceName": e.Resource,
			"authenticationInfo": authentication(e), "authorizationInfo": authorization(e), "status": status(e),
			"requestMetadata": filled(object{"callerIp": e.CallerIP, "callerSuppliedUserAgent": e.UserAgent}),
			"request":         request(e), "response": filled(object{"name": e.Born}), "serviceData": serviceData(e),
		}),
	})
}

func severity(e *detect.Entry) string {
	if e.Code != 0 {
		return "ERROR"
	}
	return "INFO"
}

func resourceType(e *detect.Entry) string {
	if e.Account != "" {
		return "service_account"
	}
	return "audited_resource"
}

func authentication(e *detect.Entry) object {
	var chain []object
	for _, subject := range e.Delegation {
		chain = append(chain, object{"principalSubject": subject})
	}
	return filled(object{"principalEmail": e.Principal, "principalSubject": e.PrincipalSubject, "serviceAccountKeyName": e.KeyName, "serviceAccountDelegationInfo": chain})
}

func authorization(e *detect.Entry) []object {
	var checks []object
	for _, p := range e.Permissions {
		checks = append(checks, filled(object{"permission": p.Name, "resource": p.Resource, "granted": p.Granted}))
	}
	return checks
}

func status(e *detect.Entry) object {
	if e.Code == 0 {
		return object{}
	}
	s := object{"code": e.Code, "message": e.Message}
	if e.Violation != "" {
		s["details"] = []object{{"@type": "type.googleapis.com/google.rpc.PreconditionFailure", "violations": []object{{"type": e.Violation}}}}
	}
	return filled(s)
}

func request(e *detect.Entry) object {
	if len(e.Tested) == 0 {
		return object{}
	}
	return object{"permissions": e.Tested}
}

func serviceData(e *detect.Entry) object {
	var deltas []object
	for _, g := range e.Grants {
		deltas = append(deltas, object{"action": "ADD", "role": g.Role, "member": g.Member})
	}
	if len(deltas) == 0 {
		return object{}
	}
	return object{"@type": "type.googleapis.com/google.iam.v1.logging.AuditData", "policyDelta": object{"bindingDeltas": deltas}}
}
