// Package access checks, for each call to a service, whether the caller holds the
// permission it takes, and writes the audit entry Google would write.
package access

import (
	"context"
	"path"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/principal"
)

// implicitDelegation is what each member of a delegation chain needs on the next.
const implicitDelegation = "iam.serviceAccounts.implicitDelegation"

// Rule is what one method takes.
type Rule struct {
	// Permission that the caller must hold on the target.
	Permission string
	// PermissionOf stands in for Permission where the request decides. Nil does not.
	PermissionOf func(req any) string
	// Also is a second permission, with a target of its own. Empty is none.
	Also string
	// Write says that the call changes something, so that its audit entry is
	// Admin Activity rather than Data Access.
	Write bool
	// Unlogged says that Google writes no audit entry of such calls.
	Unlogged bool
	// Strip takes out of an answer what the caller may not see for want of further
	// permissions. Nil takes nothing out.
	Strip func(resp any, may func(permission string) bool)
}

// of is the rule for one request.
func (r Rule) of(req any) Rule {
	if r.PermissionOf != nil {
		r.Permission = r.PermissionOf(req)
	}
	return r
}

// Target is what a call is about.
type Target struct {
	Project  string
	Email    string            // when it is a service account
	Name     string            // resource name for the audit log, with the unique id
	Type     string            // monitored resource type, such as service_account
	Labels   map[string]string // of the monitored resource
	Policies []string          // resources whose allow policies count
	Open     bool              // anyone may do this, and no entry tells of it
}

// Gate guards the methods of one gRPC service.
type Gate struct {
	// Rules by method, such as "CreateServiceAccountKey". A method without a rule
	// is neither guarded nor audited.
	Rules map[string]Rule
	// Locate finds what a request for which permission is needed is about.
	// Required.
	Locate func(req any, permission string) (Target, error)
	// LocateDelegate finds a member of a delegation chain by its name. Required
	// if requests have them.
	LocateDelegate func(name string) (Target, error)
	// Allows reports whether a service account holds a permission by the policies
	// of any of the resources. Required.
	Allows func(email, permission string, resources ...string) bool
	// Refuse is the service's answer to a caller without the permission. Nil is
	// Denied, which is IAM's own.
	Refuse func(permission string, t Target) error
	// Log writes the audit entries. The zero Log writes none.
	Log Log
	// RefusalsOnly leaves the entries of calls that are let through to the service.
	RefusalsOnly bool
}

// Guard returns desc with all its methods behind the gate.
func (g *Gate) Guard(desc grpc.ServiceDesc) *grpc.ServiceDesc {
	methods := make([]grpc.MethodDesc, len(desc.Methods))
	for i, m := range desc.Methods {
		handler := m.Handler
		m.Handler = func(srv any, ctx context.Context, dec func(any) error, outer grpc.UnaryServerInterceptor) (any, error) {
			return handler(srv, ctx, dec, chain(outer, g.intercept))
		}
		methods[i] = m
	}
	desc.Methods = methods
	desc.Streams = g.guardStreams(desc.Streams)
	return &desc
}

func chain(outer, inner grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	if outer == nil {
		return inner
	}
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		return outer(ctx, req, info, func(ctx context.Context, req any) (any, error) {
			return inner(ctx, req, info, next)
		})
	}
}

func (g *Gate) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	method := path.Base(info.FullMethod)
	rule, guarded := g.Rules[method]
	if !guarded {
		return next(ctx, req)
	}
	c, err := g.check(ctx, method, rule.of(req), req)
	if c.Target.Open || !c.located {
		if err == nil {
			return next(ctx, req)
		}
		return nil, err // no project is known in whose log it could stand
	}
	if err == nil {
		c.Resp, err = next(ctx, req)
	}
	c.Err = err
	if !g.RefusalsOnly || !c.Granted {
		g.Log.Write(ctx, c.Call)
	}
	if err == nil && rule.Strip != nil {
		caller := principal.FromContext(ctx)
		rule.Strip(c.Resp, func(permission string) bool { return g.holds(caller, permission, c.Target) })
	}
	return c.Resp, err
}

// checked is a call of which it is known whether the caller may make it.
type checked struct {
	Call
	located bool // whether it is known what it is about
}

// check returns the refusal of a call that the caller may not make, and of one
// that is about nothing known.
func (g *Gate) check(ctx context.Context, method string, rule Rule, req any) (checked, error) {
	c := checked{Call: Call{Method: method, Rule: rule, Req: req}}
	for _, permission := range []string{rule.Also, rule.Permission} {
		if permission == "" {
			continue
		}
		target, err := g.Locate(req, permission)
		if err != nil {
			return checked{}, err
		}
		c.Target, c.Rule.Permission, c.located = target, permission, true
		if target.Open {
			continue
		}
		c.Granted, err = g.allowed(ctx, permission, req, target)
		if err == nil && !c.Granted {
			err = g.refuse(permission, target)
		}
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// allowed follows the delegation chain of the request, if it has one: each
// member needs implicitDelegation on the next and the last one the permission.
func (g *Gate) allowed(ctx context.Context, permission string, req any, target Target) (bool, error) {
	caller := principal.FromContext(ctx)
	if r, ok := req.(interface{ GetDelegates() []string }); ok {
		for _, name := range r.GetDelegates() {
			delegate, err := g.LocateDelegate(name)
			if err != nil || !g.holds(caller, implicitDelegation, delegate) {
				return false, err
			}
			caller = principal.Principal{Email: delegate.Email}
		}
	}
	return g.holds(caller, permission, target), nil
}

func (g *Gate) holds(p principal.Principal, permission string, t Target) bool {
	return p.IsOwner() || g.Allows(p.Email, permission, t.Policies...)
}

func (g *Gate) refuse(permission string, t Target) error {
	if g.Refuse != nil {
		return g.Refuse(permission, t)
	}
	return Denied(permission)
}

// Denied is IAM's answer to a caller without the permission, and Logging's.
func Denied(permission string) error {
	return Refusal(map[string]string{"permission": permission}, "Permission '%s' denied on resource (or it may not exist).", permission)
}

// Refusal is PERMISSION_DENIED with what Google tells machines of it.
func Refusal(metadata map[string]string, format string, args ...any) error {
	s, _ := status.Newf(codes.PermissionDenied, format, args...).WithDetails(&errdetails.ErrorInfo{
		Reason: "IAM_PERMISSION_DENIED", Domain: "iam.googleapis.com", Metadata: metadata,
	}) // fails for code OK only
	return s.Err()
}
