package instance

import (
	"cmp"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// Proxy hands requests on to a URL, and gives a body patience for each of its parts.
func Proxy(to *url.URL, patience time.Duration) http.Handler {
	reverse := httputil.NewSingleHostReverseProxy(to)
	reverse.BufferPool = &buffers{}
	reverse.ErrorLog = log.New(io.Discard, "", 0) // who called sees a 502 and tries again
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = &hasty{ReadCloser: r.Body, control: http.NewResponseController(w), patience: patience}
		reverse.ServeHTTP(w, r)
	})
}

// OneAtATime lets one request at a time into h, and has it go on when its caller hangs
// up. The functions framework needs that: of events that overlap, its receiver can
// leave one unanswered for ever, and so it can when a caller hangs up
// (github.com/cloudevents/sdk-go/issues/1224 and 1332).
func OneAtATime(h http.Handler) http.Handler {
	var turn sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turn.Lock()
		defer turn.Unlock()
		// Without a Done channel the proxy would watch the caller's connection itself.
		ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
		defer cancel()
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}

// hasty is a body that breaks off if a part of it does not come in time: the proxy
// would wait for it even when the function has answered, and so would the server for
// what nobody has read.
type hasty struct {
	io.ReadCloser
	control  *http.ResponseController
	patience time.Duration
}

// Read implements io.Reader. The time limit ends with the body: from then on the server
// reads from the connection only to notice that the caller hangs up.
func (h *hasty) Read(p []byte) (int, error) {
	if err := h.control.SetReadDeadline(time.Now().Add(h.patience)); err != nil {
		return 0, err
	}
	n, err := h.ReadCloser.Read(p)
	if err == io.EOF {
		err = cmp.Or(h.control.SetReadDeadline(time.Time{}), io.EOF)
	}
	return n, err
}

// buffers are what answers are copied through: a new one for each would be the
// most of all memory that the local world takes.
type buffers struct{ sync.Pool }

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if buffer, ok := b.Pool.Get().(*[]byte); ok {
		return *buffer
	}
	return make([]byte, 32<<10)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(buffer []byte) { b.Pool.Put(&buffer) }
