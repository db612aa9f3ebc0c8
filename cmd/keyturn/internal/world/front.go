package world

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"example.com/keyturn/internal/localgcp/run/instance"
	"example.com/keyturn/shared/deployment"
)

// newFront stands before the functions as Google's front end does: it has
// requests wait while they start, gives a body patience for each of its parts, and
// lets one event at a time into each, which is what Cloud Functions gives an instance
// by default.
func newFront(functions *url.URL, ready func(context.Context) error, patience time.Duration) http.Handler {
	proxy := instance.Proxy(functions, patience)
	open := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		if r.Header.Get("Authorization") == "Bearer None" {
			r.Header.Del("Authorization") // gcloud's, which has no identity token where 'keyturn local env' logs it in
		}
		proxy.ServeHTTP(w, r)
	})
	mux := http.NewServeMux()
	mux.Handle("/", open)
	lanes := map[string]http.Handler{}
	for _, f := range deployment.Functions {
		if f.Topic != "" && lanes[f.Entry] == nil {
			lanes[f.Entry] = instance.OneAtATime(open)
			mux.Handle("/"+f.Entry, lanes[f.Entry])
		}
	}
	return mux
}
