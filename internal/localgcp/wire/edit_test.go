package wire

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestEditAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		code       int
		body, want string
	}{
		"an object":      {200, `{"big":12345678901234567890,"list":[{}]}`, `{"added":true,"big":12345678901234567890,"list":[{}]}` + "\n"},
		"an empty one":   {200, `{}`, `{"added":true}` + "\n"},
		"null":           {200, `null`, `null`},
		"no object":      {200, `[1]`, `[1]`},
		"no JSON":        {200, `<html>`, `<html>`},
		"an error":       {404, `{"error":{}}`, `{"error":{}}`},
		"nothing at all": {204, ``, ``},
	} {
		next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "" {
				t.Errorf("%s: may be compressed", name)
			}
			w.Header().Set("X-Kept", "yes")
			w.WriteHeader(c.code)
			_, _ = w.Write([]byte(c.body))
		})
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Encoding", "gzip")
		w := httptest.NewRecorder()
		EditAnswer(w, r, next, func(answer map[string]any) { answer["added"] = true })
		if w.Code != c.code || w.Body.String() != c.want || w.Header().Get("X-Kept") != "yes" {
			t.Errorf("%s: %d %q %v, want %d %q", name, w.Code, w.Body, w.Header(), c.code, c.want)
		}
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("%s: the caller's request was changed", name)
		}
	}
}
