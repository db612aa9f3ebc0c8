package entry

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"example.com/keyturn/internal/localgcp/wire"
)

// maxRequest is the size in bytes up to which Google takes an entries:write.
const maxRequest = 10 << 20

// header tells the service behind a transcoder that its answer becomes JSON.
const header = "X-Localgcp-Portable-Entries"

// Transcode stands before a handler that transcodes REST to gRPC, and lets
// entries:write and entries:list carry every protoPayload, by rewriting it
// between its JSON and its portable form. All other requests pass untouched.
func Transcode(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost && r.URL.Path == "/v2/entries:write":
			write(w, r, next)
		case r.Method == http.MethodPost && r.URL.Path == "/v2/entries:list":
			list(w, r, next)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// WantsPortable reports whether the caller of a gRPC method is a transcoder
// behind Transcode, and so needs entries in portable form.
func WantsPortable(ctx context.Context) bool {
	return len(metadata.ValueFromIncomingContext(ctx, header)) > 0
}

func write(w http.ResponseWriter, r *http.Request, next http.Handler) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		wire.WriteError(w, 0, codes.InvalidArgument, "reading the request: "+err.Error())
		return
	}
	body = rewriteEntries(body, wrapPayload)
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	next.ServeHTTP(w, r)
}

func list(w http.ResponseWriter, r *http.Request, next http.Handler) {
	r = r.Clone(r.Context())
	r.Header.Set(header, "1")
	r.Header.Del("Accept-Encoding") // the answer is read here
	answer := &recorder{ResponseWriter: w, code: http.StatusOK}
	next.ServeHTTP(answer, r)
	body := rewriteEntries(answer.body.Bytes(), unwrapPayload)
	w.Header().Del("Content-Length")
	w.WriteHeader(answer.code)
	_, _ = w.Write(body) // the client went away: nobody is left to tell
}

// rewriteEntries applies f to each of a message's entries. What is no such
// message is left for the transcoder to refuse.
func rewriteEntries(body []byte, f func(map[string]json.RawMessage)) []byte {
	var message map[string]json.RawMessage
	var entries []map[string]json.RawMessage
	if json.Unmarshal(body, &message) != nil || json.Unmarshal(message["entries"], &entries) != nil {
		return body
	}
	for _, e := range entries {
		f(e)
	}
	rewritten, err := json.Marshal(entries)
	if err != nil {
		return body
	}
	message["entries"] = rewritten
	if rewritten, err = json.Marshal(message); err != nil {
		return body
	}
	return rewritten
}

// recorder holds an answer back.
type recorder struct {
	http.ResponseWriter
	code int
	body bytes.Buffer
}

func (w *recorder) WriteHeader(code int)        { w.code = code }
func (w *recorder) Write(p []byte) (int, error) { return w.body.Write(p) }
