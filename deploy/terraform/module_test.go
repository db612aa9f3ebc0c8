package terraform

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// module is what is written in the folder, as Terraform understands it.
type module struct {
	variables map[string]cty.Value
	used      map[string]bool // variables
	locals    map[string]hcl.Expression
	resources []*hclsyntax.Block
	outputs   []*hclsyntax.Block
	context   *hcl.EvalContext
	instances []instance
}

// instance is one resource that Terraform would make.
type instance struct {
	kind, name, key string
	values          map[string]cty.Value // arguments; nested blocks are lists of objects
}

// text is an argument as text; "" if there is none.
func (i instance) text(name string) string {
	v, ok := i.values[name]
	if !ok || v.IsNull() || v.Type() != cty.String {
		return ""
	}
	return v.AsString()
}

// read parses files, by name, with values for variables that have no default, and
// works out every resource.
func read(files map[string]string, given map[string]cty.Value) (*module, error) {
	m := &module{variables: map[string]cty.Value{}, used: map[string]bool{}, locals: map[string]hcl.Expression{}}
	for name, text := range files {
		file, diags := hclsyntax.ParseConfig([]byte(text), name, hcl.InitialPos)
		if diags.HasErrors() {
			return nil, diags
		}
		if err := m.sort(file.Body.(*hclsyntax.Body).Blocks, given); err != nil {
			return nil, err
		}
	}
	return m, m.evaluate()
}

// sort puts blocks where they belong.
func (m *module) sort(blocks hclsyntax.Blocks, given map[string]cty.Value) error {
	for _, b := range blocks {
		switch b.Type {
		case "terraform", "data":
		case "variable":
			if err := m.variable(b, given); err != nil {
				return err
			}
		case "locals":
			for name, a := range b.Body.Attributes {
				m.locals[name] = a.Expr
			}
		case "resource":
			m.resources = append(m.resources, b)
		case "output":
			m.outputs = append(m.outputs, b)
		default:
			return fmt.Errorf("%s: a block %s is not expected", b.Range(), b.Type)
		}
	}
	return nil
}

func (m *module) variable(b *hclsyntax.Block, given map[string]cty.Value) error {
	name := b.Labels[0]
	if b.Body.Attributes["description"] == nil || b.Body.Attributes["type"] == nil {
		return fmt.Errorf("variable %s has no description, or no type", name)
	}
	if v, ok := given[name]; ok {
		m.variables[name] = v
		return nil
	}
	fallback := b.Body.Attributes["default"]
	if fallback == nil {
		return fmt.Errorf("variable %s needs a value", name)
	}
	v, diags := fallback.Expr.Value(nil)
	if diags.HasErrors() {
		return diags
	}
	m.variables[name] = v
	return nil
}

// evaluate works out the locals, then how many there are of each resource, then all.
func (m *module) evaluate() error {
	m.context = &hcl.EvalContext{Functions: functions, Variables: map[string]cty.Value{
		"var": cty.ObjectVal(m.variables), "path": cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(".")}),
		"data": object("google_project", object("this", object("number", cty.StringVal("1234")))),
	}}
	known := map[string]cty.Value{}
	for len(known) < len(m.locals) {
		before := len(known)
		m.context.Variables["local"] = cty.ObjectVal(known)
		var problems hcl.Diagnostics
		for name, expression := range m.locals {
			if v, diags := expression.Value(m.context); diags.HasErrors() {
				problems = diags
			} else {
				known[name] = v
			}
			m.uses(expression)
		}
		if len(known) == before {
			return problems
		}
	}
	m.context.Variables["local"] = cty.ObjectVal(known)
	if err := m.count(); err != nil {
		return err
	}
	return m.fill()
}

func object(name string, v cty.Value) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{name: v})
}

// count makes the instances, and what others see of them.
func (m *module) count() error {
	seen := map[string]map[string]cty.Value{}
	for _, b := range m.resources {
		kind, name := b.Labels[0], b.Labels[1]
		if seen[kind] == nil {
			seen[kind] = map[string]cty.Value{}
		}
		each := b.Body.Attributes["for_each"]
		if each == nil {
			m.instances = append(m.instances, instance{kind: kind, name: name})
			seen[kind][name] = told(kind, name)
			continue
		}
		all, diags := each.Expr.Value(m.context)
		if diags.HasErrors() {
			return diags
		}
		m.uses(each.Expr)
		keys := map[string]cty.Value{}
		for it := all.ElementIterator(); it.Next(); {
			key, v := it.Element()
			if all.Type().IsSetType() {
				key = v
			}
			keys[key.AsString()] = told(kind, key.AsString())
			m.instances = append(m.instances, instance{kind: kind, name: name, key: key.AsString(), values: map[string]cty.Value{"each": v}})
		}
		seen[kind][name] = cty.ObjectVal(keys)
	}
	for kind, resources := range seen {
		m.context.Variables[kind] = cty.ObjectVal(resources)
	}
	return nil
}

// told is what a resource tells others of itself: no more than is needed of it.
func told(kind, key string) cty.Value {
	values := map[string]string{"name": key, "id": key}
	switch kind {
	case "google_pubsub_topic":
		values["id"] = "projects/acme/topics/" + key
	case "google_service_account":
		values = map[string]string{"email": key + "@acme.iam.gserviceaccount.com", "name": "projects/acme/serviceAccounts/" + key + "@acme.iam.gserviceaccount.com"}
	case "google_secret_manager_secret":
		values = map[string]string{"secret_id": key}
	case "google_logging_project_sink":
		values = map[string]string{"writer_identity": "serviceAccount:the-sink"}
	case "google_storage_bucket":
		values["name"] = "acme-keyturn-builds"
	case "google_firestore_database":
		values["name"] = "(default)"
	}
	all := map[string]cty.Value{}
	for name, v := range values {
		all[name] = cty.StringVal(v)
	}
	return cty.ObjectVal(all)
}

// fill works out the arguments of every instance, and the outputs.
func (m *module) fill() error {
	for i := range m.instances {
		in := &m.instances[i]
		context := m.context.NewChild()
		if v, ok := in.values["each"]; ok {
			context.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(in.key), "value": v})}
		}
		var err error
		if in.values, err = m.values(m.block(in).Body, context); err != nil {
			return err
		}
	}
	for _, b := range m.outputs {
		if _, err := m.values(b.Body, m.context); err != nil {
			return err
		}
	}
	return nil
}

func (m *module) block(in *instance) *hclsyntax.Block {
	for _, b := range m.resources {
		if b.Labels[0] == in.kind && b.Labels[1] == in.name {
			return b
		}
	}
	return nil
}

// meta are arguments that are Terraform's own. Their references are looked at by their
// first two parts.
var meta = map[string]bool{"for_each": true, "depends_on": true, "provider": true}

// values are the arguments of a block, with those of the blocks in it.
func (m *module) values(body *hclsyntax.Body, context *hcl.EvalContext) (map[string]cty.Value, error) {
	all := map[string]cty.Value{}
	for name, a := range body.Attributes {
		m.uses(a.Expr)
		if meta[name] {
			if err := m.exists(name, a.Expr); err != nil {
				return nil, err
			}
			continue
		}
		v, diags := a.Expr.Value(context)
		if diags.HasErrors() {
			return nil, diags
		}
		all[name] = v
	}
	for _, b := range body.Blocks {
		name, nested, err := m.nested(b, context)
		if err != nil {
			return nil, err
		}
		if before, ok := all[name]; ok {
			nested = append(before.AsValueSlice(), nested...)
		}
		all[name] = cty.TupleVal(nested)
	}
	return all, nil
}

// nested are the objects that a block stands for, of which a dynamic one has any number.
func (m *module) nested(b *hclsyntax.Block, context *hcl.EvalContext) (name string, objects []cty.Value, err error) {
	if b.Type != "dynamic" {
		v, err := m.values(b.Body, context)
		return b.Type, []cty.Value{cty.ObjectVal(v)}, err
	}
	all, diags := b.Body.Attributes["for_each"].Expr.Value(context)
	if diags.HasErrors() {
		return "", nil, diags
	}
	m.uses(b.Body.Attributes["for_each"].Expr)
	for it := all.ElementIterator(); it.Next(); {
		key, v := it.Element()
		inner := context.NewChild()
		inner.Variables = map[string]cty.Value{b.Labels[0]: cty.ObjectVal(map[string]cty.Value{"key": key, "value": v})}
		values, err := m.values(b.Body.Blocks[0].Body, inner)
		if err != nil {
			return "", nil, err
		}
		objects = append(objects, cty.ObjectVal(values))
	}
	return b.Labels[0], objects, nil
}

// exists wants what depends_on names to be there.
func (m *module) exists(name string, e hcl.Expression) error {
	if name != "depends_on" {
		return nil
	}
	for _, t := range e.Variables() {
		if _, diags := t.TraverseAbs(m.context); diags.HasErrors() {
			return diags
		}
	}
	return nil
}

// uses notes the variables of an expression.
func (m *module) uses(e hcl.Expression) {
	for _, t := range e.Variables() {
		if t.RootName() == "var" && len(t) > 1 {
			m.used[t[1].(hcl.TraverseAttr).Name] = true
		}
	}
}
