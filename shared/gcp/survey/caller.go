package survey

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/gcp"
)

// caller finds out whether there are credentials that work. The embedded Google Cloud
// takes everybody who reaches it.
func (l *look) caller(ctx context.Context) {
	if endpoint := l.Cloud.Endpoint(); endpoint != "" {
		conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", endpoint)
		if err != nil {
			l.o.Caller.Value = deployment.Caller{Unreachable: true, Lacks: oneLine(err.Error())}
			return
		}
		_ = conn.Close()
		return
	}
	_, err := l.Cloud.Tokens().Token()
	l.o.Caller.Value = callerOf(err)
	l.o.Caller.Value.KeyFile = l.Cloud.OwnKey().File
}

// notFetched is what x/oauth2 says when the token endpoint did not answer, whose error
// it does not wrap.
const notFetched = "oauth2: cannot fetch token: "

// callerOf reads why there is no token.
func callerOf(err error) deployment.Caller {
	var refused *oauth2.RetrieveError
	var unanswered *url.Error
	var network net.Error
	switch {
	case err == nil:
		return deployment.Caller{}
	case errors.As(err, &refused) && refused.Response.StatusCode < 500:
		word, description := gcp.TokenRefusal(refused)
		return deployment.Caller{Lacks: "Google refuses your credentials, which have expired, were revoked, or are of a key that is disabled: " + oneLine(word+" "+description)}
	case errors.As(err, &refused), errors.As(err, &unanswered), errors.As(err, &network), strings.Contains(err.Error(), notFetched):
		return deployment.Caller{Unreachable: true, Lacks: oneLine(err.Error())}
	case strings.Contains(err.Error(), "could not find default credentials"):
		return deployment.Caller{Lacks: "there are no credentials on this machine"}
	}
	return deployment.Caller{Lacks: "the credentials of this machine cannot be used: " + oneLine(err.Error())}
}

// project reads the project itself, by the API that knows nothing else.
func (l *look) project(ctx context.Context) {
	p, err := l.projects.Projects.Get(l.Cloud.Project()).Context(ctx).Do()
	u := unread(gcp.RESTError(err))
	switch {
	case err == nil && p.LifecycleState != "ACTIVE":
		l.o.Project.Value.Gone = "it is being deleted"
	case err == nil:
		l.o.Project.Value.Number = number(p)
	case u.API == "" && (u.Denied || gcp.IsNotFound(gcp.RESTError(err))):
		l.o.Project.Value.Gone = "it does not exist, or your credentials may not see it"
	default:
		l.o.Project.Unread = u
	}
}
