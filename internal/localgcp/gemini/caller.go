package gemini

import (
	"net"
	"net/http"
	"strings"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/apikeys/restriction"
	"example.com/keyturn/internal/localgcp/principal"
)

// gcloudClient is the OAuth client that people at gcloud call with.
const gcloudClient = "32555940559.apps.googleusercontent.com"

// caller is who makes a call, as far as it is known.
type caller struct {
	credential string               // apikey:UID, serviceaccount:ID or oauth2:CLIENT; empty while no project is known
	account    *principal.Principal // of a bearer token; nil with an API key
}

// identify finds out who calls. It leaves the caller's credential in c also
// when a restriction of the key blocks the call.
func (s *Service) identify(c *call) error {
	keyString, authorization := presentedKey(c.http), c.http.Header.Get("Authorization")
	if keyString != "" {
		if err := s.identifyKey(c, keyString); err != nil {
			return err
		}
	}
	if authorization != "" {
		return s.identifyAccount(c, authorization)
	}
	if keyString == "" {
		return status.Error(codes.PermissionDenied, "Method doesn't allow unregistered callers (callers without established identity). "+
			"Please use API Key or other form of API consumer identity to call this API.")
	}
	return nil
}

// presentedKey is the API key of a request, from where Google takes it.
func presentedKey(r *http.Request) string {
	if k := r.Header.Get("X-Goog-Api-Key"); k != "" {
		return k
	}
	query := r.URL.Query()
	return query.Get("key") + query.Get("$key")
}

func (s *Service) identifyKey(c *call, keyString string) error {
	key, ok := s.cfg.Keys.Lookup(keyString)
	if !ok {
		return keyError(codes.InvalidArgument, "API_KEY_INVALID", "API key not valid. Please pass a valid API key.", nil)
	}
	s.cfg.Keys.Use(keyString)
	c.caller.credential = "apikey:" + key.GetUid()
	block := restriction.Check(key.GetRestrictions(), restriction.Call{
		Service: serviceName, Method: c.fullName(), IP: callerIP(c.http), Referrer: header(c.http, "Referer"),
		AndroidPackage: header(c.http, "X-Android-Package"), AndroidCert: header(c.http, "X-Android-Cert"), IOSBundle: header(c.http, "X-Ios-Bundle-Identifier"),
	})
	if block == nil {
		return nil
	}
	metadata := map[string]string{"consumer": projectOf(key)}
	for name, value := range block.Metadata {
		metadata[name] = value
	}
	return keyError(codes.PermissionDenied, block.Reason, block.Message, metadata)
}

// projectOf is projects/NUMBER of a key.
func projectOf(k *apikeyspb.Key) string {
	project, _, _ := strings.Cut(k.GetName(), "/locations/")
	return project
}

// keyError is what Google answers about an API key: the reason, and the message
// once more for people.
func keyError(code codes.Code, reason, message string, metadata map[string]string) error {
	info := &errdetails.ErrorInfo{Reason: reason, Domain: "googleapis.com", Metadata: map[string]string{"service": serviceName}}
	for name, value := range metadata {
		info.Metadata[name] = value
	}
	return fail(code, message, info, &errdetails.LocalizedMessage{Locale: "en-US", Message: message})
}

func (s *Service) identifyAccount(c *call, authorization string) error {
	scheme, bearer, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return s.unauthenticated(c, "ACCESS_TOKEN_TYPE_UNSUPPORTED")
	}
	p, err := s.cfg.Auth.Authenticate(bearer)
	if err != nil {
		return s.unauthenticated(c, reasonOf(err))
	}
	c.caller = caller{credential: "oauth2:" + gcloudClient, account: &p}
	if !p.IsOwner() {
		c.caller.credential = "serviceaccount:" + s.cfg.Auth.UniqueID(p.Email)
	}
	return nil
}

func (s *Service) unauthenticated(c *call, reason string) error {
	c.caller = caller{} // a bad token leaves no project to count the call for, whatever the key
	return fail(codes.Unauthenticated, "Request had invalid authentication credentials. Expected OAuth 2 access token, "+
		"login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
		&errdetails.ErrorInfo{Reason: reason, Domain: "googleapis.com", Metadata: map[string]string{"service": serviceName, "method": c.fullName()}})
}

// reasonOf is the reason of an error's ErrorInfo.
func reasonOf(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return "ACCESS_TOKEN_TYPE_UNSUPPORTED"
}

// authorize checks what only calls with a bearer token need: the permission.
func (s *Service) authorize(c *call) error {
	a := c.caller.account
	if a == nil || a.IsOwner() || s.cfg.Auth.Allowed(a.Email, c.Permission) {
		return nil
	}
	resource := "projects/" + s.cfg.ProjectID
	return fail(codes.PermissionDenied, "Permission '"+c.Permission+"' denied on resource '//"+serviceName+"/"+resource+"' (or it may not exist).",
		&errdetails.ErrorInfo{Reason: "IAM_PERMISSION_DENIED", Domain: serviceName, Metadata: map[string]string{"permission": c.Permission, "resource": resource}})
}

// callerIP believes X-Forwarded-For from callers on this machine, as if they
// were Google's front end, so that calls can come from elsewhere.
func callerIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(header(r, "X-Forwarded-For"), ",")
	if first = strings.TrimSpace(first); first != "" && net.ParseIP(host).IsLoopback() {
		return first
	}
	return host
}

// header makes a header fit for protobuf, which takes UTF-8 only.
func header(r *http.Request, name string) string {
	return strings.ToValidUTF8(r.Header.Get(name), "\uFFFD")
}
