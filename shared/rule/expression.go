package rule

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
)

// Bounds of an expression. CEL's unit of cost is about a comparison, which takes
// some hundreds of nanoseconds.
const (
	maxExpression = 8192    // characters
	maxEstimate   = 100_000 // cost of an expression at worst, or it is not accepted
	maxCost       = 100_000 // cost of an evaluation, or it is stopped
)

// sizes are how long the texts and lists of an entry are at most.
type sizes struct{ text, list uint64 }

var (
	// likely are the sizes for which an expression's cost must be acceptable.
	likely = sizes{text: 1 << 10, list: 32}
	// longest are those of any entry: what costs little even then is not watched.
	longest = sizes{text: 16 << 20, list: 4 << 20}
)

// newEnvironment knows the fields of the record and CEL's standard functions.
func newEnvironment() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.RegexProgramSizeLimit(1000),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals(), cel.ValidateHomogeneousAggregateLiterals()),
	}
	for _, f := range fields {
		options = append(options, cel.Variable(f.Name, f.kind))
	}
	return cel.NewEnv(options...)
}

// flaw is what is wrong with an expression, and where in it.
type flaw struct {
	line, column int // counted from 1 and from 0, in characters
	reason       string
}

// compile checks an expression and makes a program of it.
func compile(env *cel.Env, expression string) (cel.Program, []flaw) {
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, flawsOf(issues)
	}
	whole := func(format string, args ...any) []flaw { return []flaw{{1, 0, fmt.Sprintf(format, args...)}} }
	if got := ast.OutputType(); !got.IsExactType(types.BoolType) {
		return nil, whole("the expression gives %s, not bool: compare it with something", got)
	}
	estimate, err := env.EstimateCost(ast, likely) // only its options, of which there are none, make it fail
	if err != nil || estimate.Max > maxEstimate {
		return nil, whole("the expression may take %s steps for an entry, and %d are the most: nest fewer exists, all, filter and map in one another", steps(estimate.Max), maxEstimate)
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if most, err := env.EstimateCost(ast, longest); err != nil || most.Max > maxCost {
		options = append(options, cel.CostLimit(maxCost))
	}
	program, err := env.Program(ast, options...)
	if err != nil {
		return nil, whole("%v", err)
	}
	return program, nil
}

func flawsOf(issues *cel.Issues) []flaw {
	var flaws []flaw
	for _, e := range issues.Errors() {
		// Each lists every token that would have done, at great length.
		reason, _, _ := strings.Cut(e.Message, ", expecting {")
		reason, _, _ = strings.Cut(reason, " expecting {")
		if strings.HasPrefix(reason, "undeclared reference") {
			reason = undeclared(reason)
		}
		flaws = append(flaws, flaw{e.Location.Line(), max(e.Location.Column(), 0), reason})
	}
	return flaws
}

func steps(n uint64) string {
	const unbounded = 1 << 60
	if n > unbounded {
		return "any number of"
	}
	return fmt.Sprint(n)
}

// EstimateSize implements cost.Estimator: nil leaves what is computed to CEL.
func (s sizes) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	size := cost.RangedSizeEstimate(0, s.text)
	switch {
	case len(node.Path()) == 0:
		return nil
	case node.Type().Kind() == types.ListKind:
		size = cost.RangedSizeEstimate(0, s.list)
	}
	return &size
}

// EstimateCallCost implements cost.Estimator: nil leaves it to CEL.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}
