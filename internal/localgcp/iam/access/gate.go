// Package access checks, for each call to an IAM service, whether the caller
// holds the permission it takes, and writes the audit entry Google would write.
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
	// Write says that the call changes something, so that its audit entry is
	// Admin Activity rather than Data Access.
	Write bool
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
	// Log writes the audit entries. The zero Log writes none.
	Log Log
}

// Guard returns desc with all its unary methods behind the gate.
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
	target, err := g.Locate(req, rule.Permission)
	if err != nil {
		return nil, err // no project is known in whose log it could stand
	}
	if target.Open {
		return next(ctx, req)
	}
	granted, err := g.allowed(ctx, rule, req, target)
	if err == nil && !granted {
		err = Denied(rule.Permission)
	}
	var resp any
	if err == nil {
		resp, err = next(ctx, req)
	}
	g.Log.Write(ctx, Call{Method: method, Rule: rule, Target: target, Req: req, Resp: resp, Granted: granted, Err: err})
	return resp, err
}

// allowed follows the delegation chain of the request, if it has one: each
// member needs implicitDelegation on the next and the last one the permission.
func (g *Gate) allowed(ctx context.Context, rule Rule, req any, target Target) (bool, error) {
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
	return g.holds(caller, rule.Permission, target), nil
}

func (g *Gate) holds(p principal.Principal, permission string, t Target) bool {
	return p.IsOwner() || g.Allows(p.Email, permission, t.Policies...)
}

// Denied is Google's answer to a caller without the permission.
func Denied(permission string) error {
	s, _ := status.Newf(codes.PermissionDenied, "Permission '%s' denied on resource (or it may not exist).", permission).
		WithDetails(&errdetails.ErrorInfo{
			Reason: "IAM_PERMISSION_DENIED", Domain: "iam.googleapis.com", Metadata: map[string]string{"permission": permission},
		}) // fails for code OK only
	return s.Err()
}
