package run

import (
	"math/rand/v2"
	"net/http"
	"path"
	"strings"
)

// Services that run programs are all called below one path of the embedded cloud, where
// Cloud Run has a host for each: /run.app/NAME-NUMBER.REGION, and what is tagged
// /run.app/TAG---NAME-NUMBER.REGION.
const (
	frontPath = "/run.app/"
	tagMark   = "---"
)

// Serves reports whether a URL path is that of a service.
func Serves(path string) bool { return strings.HasPrefix(path, frontPath) }

// URL is where a service, by its full name, is called.
func (s *Service) URL(name string) string {
	return s.cfg.Programs.URL() + frontPath + s.host(name)
}

func (s *Service) host(name string) string {
	return part(name, 5) + "-" + s.cfg.Programs.Number(part(name, 1)) + "." + part(name, 3)
}

// mayInvoke is what whoever calls a service has to hold on it.
const mayInvoke = "run.routes.invoke"

// The audiences that Cloud Run accepts for every service, in tokens of people
// (github.com/googleapis/google-auth-library-java/pull/469).
const (
	audienceGcloud  = "32555940559.apps.googleusercontent.com"
	audienceDefault = "764086051850-6qr4p6gpi6hn506pt8ejuq83di341hur.apps.googleusercontent.com"
)

// ServeHTTP lets those call a service who may, has the revision answer whose turn it is,
// and takes the signature off the token as Cloud Run does.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, frontPath), "/")
	name, i := s.destination(host)
	if i == nil {
		http.Error(w, "Error: Page not found\nThe requested URL was not found on this server.", http.StatusNotFound)
		return
	}
	if code := s.admit(r, name); code != http.StatusOK {
		if code == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token" error_description="The access token could not be verified"`)
		}
		http.Error(w, refusals[code], code)
		return
	}
	u := *r.URL
	u.Path, u.RawPath = "/"+rest, ""
	r = r.Clone(r.Context())
	r.URL = &u
	i.ServeHTTP(w, r)
}

var refusals = map[int]string{
	http.StatusUnauthorized: "Error: Unauthorized\nYour client does not have permission to the requested URL.",
	http.StatusForbidden:    "Error: Forbidden\nYour client does not have permission to get URL from this server.",
}

// destination is the service of a host and the instance that a request to it goes to.
func (s *Service) destination(host string) (name string, i *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tag, untagged, isTagged := strings.Cut(host, tagMark)
	for name, one := range s.services {
		var chosen string
		switch own := s.host(name); {
		case own == host:
			chosen = one.chosen(rand.IntN(wholeness))
		case isTagged && own == untagged:
			chosen = one.tagged(tag)
		default:
			continue
		}
		if r := one.revisions[chosen]; r != nil {
			return name, r.instance
		}
	}
	return "", nil
}

// serverless is the header that Cloud Run looks at first
// (docs.cloud.google.com/run/docs/authenticating/service-to-service).
const serverless = "X-Serverless-Authorization"

// admit checks a caller at the door: an identity token of somebody who may invoke the
// service. The developer at the machine, who has none, may everything.
func (s *Service) admit(r *http.Request, name string) int {
	header := "Authorization"
	if r.Header.Get(serverless) != "" {
		header = serverless
	}
	_, token, _ := strings.Cut(r.Header.Get(header), " ")
	if token == "" {
		if s.public(name) {
			return http.StatusOK
		}
		return http.StatusForbidden
	}
	email, err := s.cfg.Programs.Identify(token, func(audience string) bool { return s.isFor(audience, name) })
	if err != nil {
		return s.admitOwner(r, header)
	}
	if !s.cfg.Policies.Allows(email, mayInvoke, name, "projects/"+part(name, 1)) {
		return http.StatusForbidden
	}
	content, _, _ := cutLast(token, ".")
	r.Header.Set(header, "Bearer "+content+".SIGNATURE_REMOVED_BY_GOOGLE")
	return http.StatusOK
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// admitOwner lets the developer in, whose credentials say nothing to a function.
func (s *Service) admitOwner(r *http.Request, header string) int {
	asked := &http.Request{Header: http.Header{"Authorization": r.Header.Values(header)}}
	if p, err := s.cfg.Programs.Caller(asked); err != nil || !p.IsOwner() {
		return http.StatusUnauthorized
	}
	r.Header.Del(header)
	return http.StatusOK
}

// isFor reports whether a token for that audience is one for the service. Those who go by
// the URL's host alone cannot tell services of the embedded cloud apart.
func (s *Service) isFor(audience, name string) bool {
	audience = strings.TrimSuffix(audience, "/")
	return audience == audienceGcloud || audience == audienceDefault || audience == s.cfg.Programs.URL() || audience == s.URL(name)
}

// public reports whether anybody may call a service.
func (s *Service) public(name string) bool {
	for _, b := range s.cfg.Policies.Get(name).GetBindings() {
		if path.Base(b.GetRole()) != "run.invoker" {
			continue
		}
		for _, m := range b.GetMembers() {
			if m == "allUsers" {
				return true
			}
		}
	}
	return false
}
