package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.com/keyturn/shared/detect"
)

// DecodeLogEntry reads a LogEntry as a sink or the Logging API writes it in
// JSON. An entry that is no audit entry, or of a shape not met before, is no
// error; only what is no JSON object is.
func DecodeLogEntry(data []byte) (detect.Entry, error) {
	var l logEntry
	if err := unmarshalObject(data, &l); err != nil {
		return detect.Entry{}, fmt.Errorf("decoding a log entry: %w; point the log sink, and nothing else, at the topic", err)
	}
	e := detect.Entry{LogName: l.LogName, InsertID: l.InsertID, Time: l.time(), Project: l.project()}
	if !l.isAudit() {
		return e, nil
	}
	p := l.Payload
	e.Audit = true
	e.Service, e.Method, e.Resource, e.Account = p.Service, p.Method, p.Resource, l.Resource.Labels["email_id"]
	e.Principal, e.PrincipalSubject, e.KeyName = p.Authentication.Email, p.Authentication.Subject, p.Authentication.Key
	e.CallerIP, e.UserAgent = p.Request.CallerIP, p.Request.UserAgent
	e.Code, e.Message = int32(p.Status.Code), p.Status.Message
	for _, a := range p.Authorization {
		e.Permissions = append(e.Permissions, detect.Permission(a))
	}
	return e, nil
}

// unmarshalObject reads a JSON object into v. A field of an unexpected type is
// left empty, for encoding/json goes on after it.
func unmarshalObject(data []byte, v any) error {
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return errors.New("it is no JSON object")
	}
	err := json.Unmarshal(data, v)
	if mismatch := (*json.UnmarshalTypeError)(nil); errors.As(err, &mismatch) {
		return nil
	}
	return err
}

// logEntry is what is read of google.logging.v2.LogEntry.
type logEntry struct {
	LogName  string `json:"logName"`
	InsertID string `json:"insertId"`
	Time     string `json:"timestamp"`
	Received string `json:"receiveTimestamp"`
	Resource struct {
		Labels map[string]string `json:"labels"`
	} `json:"resource"`
	Payload *auditLog `json:"protoPayload"`
}

// auditLog is what is read of google.cloud.audit.AuditLog.
type auditLog struct {
	Type     string `json:"@type"`
	Service  string `json:"serviceName"`
	Method   string `json:"methodName"`
	Resource string `json:"resourceName"`
	Status   struct {
		Code    code   `json:"code"`
		Message string `json:"message"`
	} `json:"status"`
	Authentication struct {
		Email   string `json:"principalEmail"`
		Subject string `json:"principalSubject"`
		Key     string `json:"serviceAccountKeyName"`
	} `json:"authenticationInfo"`
	Authorization []struct {
		Name     string `json:"permission"`
		Resource string `json:"resource"`
		Granted  bool   `json:"granted"`
	} `json:"authorizationInfo"`
	Request struct {
		CallerIP  string `json:"callerIp"`
		UserAgent string `json:"callerSuppliedUserAgent"`
	} `json:"requestMetadata"`
}

// code is a google.rpc.Code, which some writers put into a string. What is
// neither is 0.
type code int32

func (c *code) UnmarshalJSON(data []byte) error {
	n, err := strconv.ParseInt(string(bytes.Trim(data, `"`)), 10, 32)
	if err == nil {
		*c = code(n)
	}
	return nil
}

// isAudit goes by the payload's type, or by the log where the type was lost, as
// it is in Google's own published examples.
func (l logEntry) isAudit() bool {
	const auditType = "type.googleapis.com/google.cloud.audit.AuditLog"
	return l.Payload != nil && (l.Payload.Type == auditType ||
		l.Payload.Type == "" && strings.Contains(l.LogName, "/logs/cloudaudit.googleapis.com"))
}

// time is in UTC; the zero time where the entry has none that can be written down again.
func (l logEntry) time() time.Time {
	for _, s := range []string{l.Time, l.Received} {
		t, err := time.Parse(time.RFC3339Nano, s)
		if t = t.UTC(); err == nil && t.Year() >= 0 && t.Year() <= 9999 {
			return t
		}
	}
	return time.Time{}
}

func (l logEntry) project() string {
	if id := l.Resource.Labels["project_id"]; id != "" {
		return id
	}
	name, found := strings.CutPrefix(l.LogName, "projects/")
	if !found {
		return ""
	}
	id, _, _ := strings.Cut(name, "/")
	return id
}
