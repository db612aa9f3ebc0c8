// Package condition evaluates the conditions of allow policies' bindings: CEL over
// what is asked for and when.
//
// It knows resource.name, resource.type, resource.service and request.time, and the
// function extract besides CEL's own
// (docs.cloud.google.com/iam/docs/conditions-attribute-reference). Access levels,
// tags, destinations and api.getAttribute it does not know, and refuses.
package condition

import (
	"fmt"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"google.golang.org/genproto/googleapis/type/expr"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// environment declares the attributes, at the first condition that there is.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("resource.name", cel.StringType),
		cel.Variable("resource.type", cel.StringType),
		cel.Variable("resource.service", cel.StringType),
		cel.Variable("request.time", cel.TimestampType),
		cel.Function("extract", cel.MemberOverload("string_extract", []*cel.Type{cel.StringType, cel.StringType}, cel.StringType,
			cel.BinaryBinding(func(text, template ref.Val) ref.Val {
				return types.String(extract(string(text.(types.String)), string(template.(types.String))))
			}))),
	)
})

// Condition is one that can be evaluated.
type Condition struct{ program cel.Program }

// Compile reads the condition of a binding. What Google does not take is
// INVALID_ARGUMENT; the text is [mem], CEL's own part of it apart.
func Compile(e *expr.Expr) (*Condition, error) {
	switch {
	case e.GetTitle() == "":
		return nil, status.Error(codes.InvalidArgument, "Condition title is required.")
	case e.GetExpression() == "":
		return nil, status.Error(codes.InvalidArgument, "Condition expression is required.")
	}
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("declaring what conditions go by: %w", err)
	}
	ast, issues := env.Compile(e.GetExpression())
	if err := issues.Err(); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "Invalid condition expression: %v", err)
	}
	if !ast.OutputType().IsExactType(cel.BoolType) {
		return nil, status.Errorf(codes.InvalidArgument, "Invalid condition expression: it must be a bool, and is a %s.", ast.OutputType())
	}
	program, err := env.Program(ast)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "Invalid condition expression: %v", err)
	}
	return &Condition{program}, nil
}

// Holds reports whether the condition holds for a request about a resource. One that
// cannot be evaluated does not.
func (c *Condition) Holds(r Resource, now time.Time) bool {
	result, _, err := c.program.Eval(map[string]any{
		"resource.name": r.Name, "resource.type": r.Type, "resource.service": r.Service, "request.time": now,
	})
	return err == nil && result == types.True
}
