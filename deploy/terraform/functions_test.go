package terraform

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions are those of Terraform's that the module has need of.
var functions = map[string]function.Function{
	"jsondecode": stdlib.JSONDecodeFunc, "join": stdlib.JoinFunc, "split": stdlib.SplitFunc, "regex": stdlib.RegexFunc,
	"toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)), "try": tryfunc.TryFunc, "can": tryfunc.CanFunc,
	"basename":    texts(1, func(args []string) (cty.Value, error) { return cty.StringVal(path.Base(args[0])), nil }, cty.String),
	"strcontains": texts(2, func(args []string) (cty.Value, error) { return cty.BoolVal(strings.Contains(args[0], args[1])), nil }, cty.Bool),
	"yamldecode":  texts(1, yamldecode, cty.DynamicPseudoType),
	"templatefile": function.New(&function.Spec{
		Params: []function.Parameter{{Type: cty.String}, {Type: cty.DynamicPseudoType}}, Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, err := os.ReadFile(filepath.FromSlash(args[0].AsString()))
			if err != nil {
				return cty.NilVal, err
			}
			template, diags := hclsyntax.ParseTemplate(text, args[0].AsString(), hcl.InitialPos)
			if diags.HasErrors() {
				return cty.NilVal, diags
			}
			v, diags := template.Value(&hcl.EvalContext{Variables: args[1].AsValueMap()})
			if diags.HasErrors() {
				return cty.NilVal, diags
			}
			return v, nil
		},
	}),
}

// texts is a function of so many texts.
func texts(n int, do func([]string) (cty.Value, error), result cty.Type) function.Function {
	spec := &function.Spec{Type: function.StaticReturnType(result), Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var all []string
		for _, a := range args {
			all = append(all, a.AsString())
		}
		return do(all)
	}}
	for range n {
		spec.Params = append(spec.Params, function.Parameter{Type: cty.String})
	}
	return function.New(spec)
}

func yamldecode(args []string) (cty.Value, error) {
	var tree any
	if err := yaml.Unmarshal([]byte(args[0]), &tree); err != nil {
		return cty.NilVal, err
	}
	asJSON, err := json.Marshal(tree)
	if err != nil {
		return cty.NilVal, err
	}
	return stdlib.JSONDecode(cty.StringVal(string(asJSON)))
}
