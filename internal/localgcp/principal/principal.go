// Package principal carries who calls the embedded Google Cloud.
package principal

import "context"

// Principal is a caller. The zero Principal is the developer at the machine,
// who owns the project.
type Principal struct {
	Email   string // of a service account; empty for the owner
	KeyName string // //iam.googleapis.com/projects/…/keys/… when a user-managed key was used directly
}

// IsOwner reports whether the caller is the developer at the machine.
func (p Principal) IsOwner() bool { return p.Email == "" }

type contextKey struct{}

// NewContext returns a context that carries p.
func NewContext(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// FromContext returns the caller; the owner when ctx carries none.
func FromContext(ctx context.Context) Principal {
	p, _ := ctx.Value(contextKey{}).(Principal)
	return p
}
