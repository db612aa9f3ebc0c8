package wire

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// EditAnswer serves r by next and, if that succeeds with a JSON object, lets
// edit change it first. It is for the fields that an API has in REST and not in
// its protocol buffers. Numbers are json.Number.
func EditAnswer(w http.ResponseWriter, r *http.Request, next http.Handler, edit func(answer map[string]any)) {
	r = r.Clone(r.Context())
	r.Header.Del("Accept-Encoding") // or what is to be edited is compressed
	held := &heldAnswer{header: w.Header(), code: http.StatusOK}
	next.ServeHTTP(held, r)
	var answer map[string]any
	decoder := json.NewDecoder(bytes.NewReader(held.body.Bytes()))
	decoder.UseNumber()
	if held.code != http.StatusOK || decoder.Decode(&answer) != nil || answer == nil {
		w.WriteHeader(held.code)
		_, _ = w.Write(held.body.Bytes()) // the client went away: nobody is left to tell
		return
	}
	edit(answer)
	WriteJSON(w, http.StatusOK, answer)
}

// heldAnswer is an answer that was not sent yet.
type heldAnswer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (h *heldAnswer) Header() http.Header { return h.header }

func (h *heldAnswer) WriteHeader(code int) { h.code = code }

func (h *heldAnswer) Write(p []byte) (int, error) { return h.body.Write(p) }
