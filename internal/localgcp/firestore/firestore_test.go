package firestore

import (
	"testing"
	"time"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	root = "projects/acme/databases/(default)/documents"
	name = root + "/things/one"
)

func update(name string, fields map[string]*firestorepb.Value) *firestorepb.Write {
	return &firestorepb.Write{Operation: &firestorepb.Write_Update{Update: &firestorepb.Document{Name: name, Fields: fields}}}
}

func exists(w *firestorepb.Write, yes bool) *firestorepb.Write {
	w.CurrentDocument = &firestorepb.Precondition{ConditionType: &firestorepb.Precondition_Exists{Exists: yes}}
	return w
}

func commit(t *testing.T, s *Service, writes ...*firestorepb.Write) error {
	t.Helper()
	_, err := s.Commit(t.Context(), &firestorepb.CommitRequest{Database: "projects/acme/databases/(default)", Writes: writes})
	return err
}

func TestConditionsOfWrites(t *testing.T) {
	s := New()
	erase := func(name string) *firestorepb.Write {
		return &firestorepb.Write{Operation: &firestorepb.Write_Delete{Delete: name}}
	}
	stale := update(name, nil)
	stale.CurrentDocument = &firestorepb.Precondition{ConditionType: &firestorepb.Precondition_UpdateTime{UpdateTime: timestamppb.New(time.Unix(1, 0))}}
	masked := update(name, nil)
	masked.UpdateMask = &firestorepb.DocumentMask{FieldPaths: []string{"a"}}
	for i, step := range []struct {
		write *firestorepb.Write
		want  codes.Code
	}{
		{exists(update(name, nil), true), codes.NotFound}, {stale, codes.FailedPrecondition}, {exists(update(name, nil), false), codes.OK}, {exists(update(name, nil), false), codes.AlreadyExists},
		{stale, codes.FailedPrecondition}, {exists(update(name, nil), true), codes.OK}, {update(root+"/things", nil), codes.InvalidArgument}, {masked, codes.Unimplemented}, {erase(name), codes.OK}, {exists(erase(name), true), codes.NotFound},
	} {
		if err := commit(t, s, step.write); status.Code(err) != step.want {
			t.Errorf("write %d: %v, want %v", i, err, step.want)
		}
	}
	if err := commit(t, s, update(name, nil), stale); err == nil {
		t.Error("a commit is made although one of its conditions does not hold")
	}
	for asked, want := range map[string]codes.Code{name: codes.NotFound, root: codes.InvalidArgument} {
		if _, err := s.GetDocument(t.Context(), &firestorepb.GetDocumentRequest{Name: asked}); status.Code(err) != want {
			t.Errorf("%s: %v, want %v", asked, err, want)
		}
	}
	if _, err := s.Commit(t.Context(), &firestorepb.CommitRequest{Transaction: []byte("x")}); status.Code(err) != codes.Unimplemented {
		t.Errorf("a transaction: %v", err)
	}
}

// answers takes what a query finds.
type answers struct {
	grpc.ServerStream
	names []string
	bare  bool // no document had a field
}

func (a *answers) Send(r *firestorepb.RunQueryResponse) error {
	if d := r.GetDocument(); d != nil {
		a.names, a.bare = append(a.names, d.GetName()[len(root)+len("/things/"):]), len(d.GetFields()) == 0
	}
	return nil
}

func number(n int64) *firestorepb.Value {
	return &firestorepb.Value{ValueType: &firestorepb.Value_IntegerValue{IntegerValue: n}}
}

func text(s string) *firestorepb.Value {
	return &firestorepb.Value{ValueType: &firestorepb.Value_StringValue{StringValue: s}}
}

func where(field string, op firestorepb.StructuredQuery_FieldFilter_Operator, v *firestorepb.Value) *firestorepb.StructuredQuery_Filter {
	return &firestorepb.StructuredQuery_Filter{FilterType: &firestorepb.StructuredQuery_Filter_FieldFilter{FieldFilter: &firestorepb.StructuredQuery_FieldFilter{
		Field: &firestorepb.StructuredQuery_FieldReference{FieldPath: field}, Op: op, Value: v,
	}}}
}

func all(op firestorepb.StructuredQuery_CompositeFilter_Operator, parts ...*firestorepb.StructuredQuery_Filter) *firestorepb.StructuredQuery_Filter {
	return &firestorepb.StructuredQuery_Filter{FilterType: &firestorepb.StructuredQuery_Filter_CompositeFilter{CompositeFilter: &firestorepb.StructuredQuery_CompositeFilter{Op: op, Filters: parts}}}
}

func TestQueries(t *testing.T) {
	const (
		and  = firestorepb.StructuredQuery_CompositeFilter_AND
		or   = firestorepb.StructuredQuery_CompositeFilter_OR
		less = firestorepb.StructuredQuery_FieldFilter_LESS_THAN
		more = firestorepb.StructuredQuery_FieldFilter_GREATER_THAN
		is   = firestorepb.StructuredQuery_FieldFilter_EQUAL
	)
	s := New()
	for id, fields := range map[string]map[string]*firestorepb.Value{"a": {"n": number(3)}, "b": {"n": number(1), "s": text("x")}, "c": {"n": number(2)}, "d": {"n": text("2")}, "e": {"b": {ValueType: &firestorepb.Value_BooleanValue{}}}} {
		if err := commit(t, s, update(root+"/things/"+id, fields), update(root+"/others/"+id, fields)); err != nil {
			t.Fatal(err)
		}
	}
	byNumber := []*firestorepb.StructuredQuery_Order{{Field: &firestorepb.StructuredQuery_FieldReference{FieldPath: "n"}, Direction: firestorepb.StructuredQuery_DESCENDING}}
	for what, tt := range map[string]struct {
		q    *firestorepb.StructuredQuery
		want string
	}{
		"all":       {&firestorepb.StructuredQuery{}, "abcde"},
		"two":       {&firestorepb.StructuredQuery{Limit: wrapperspb.Int32(2)}, "ab"},
		"numbers":   {&firestorepb.StructuredQuery{Where: where("n", more, number(0)), OrderBy: byNumber}, "acb"},
		"a text":    {&firestorepb.StructuredQuery{Where: where("s", is, text("x"))}, "b"},
		"no order":  {&firestorepb.StructuredQuery{Where: where("b", is, &firestorepb.Value{ValueType: &firestorepb.Value_BooleanValue{}})}, ""},
		"both":      {&firestorepb.StructuredQuery{Where: all(and, where("n", more, number(1)), where("n", less, number(3)))}, "c"},
		"name only": {&firestorepb.StructuredQuery{Select: &firestorepb.StructuredQuery_Projection{Fields: []*firestorepb.StructuredQuery_FieldReference{{FieldPath: nameField}}}}, "abcde"},
	} {
		var got answers
		tt.q.From = []*firestorepb.StructuredQuery_CollectionSelector{{CollectionId: "things"}}
		err := s.RunQuery(&firestorepb.RunQueryRequest{Parent: root, QueryType: &firestorepb.RunQueryRequest_StructuredQuery{StructuredQuery: tt.q}}, &got)
		var names string
		for _, n := range got.names {
			names += n
		}
		if err != nil || names != tt.want || what == "name only" && !got.bare {
			t.Errorf("%s: %q, %v; want %q", what, names, err, tt.want)
		}
	}
	things := []*firestorepb.StructuredQuery_CollectionSelector{{CollectionId: "things"}}
	for what, q := range map[string]*firestorepb.StructuredQuery{
		"no collection": {}, "an offset": {From: things, Offset: 1}, "either": {From: things, Where: all(or)}, "either within": {From: things, Where: all(and, all(or))},
		"another operator": {From: things, Where: where("n", firestorepb.StructuredQuery_FieldFilter_IN, number(1))},
	} {
		if err := s.RunQuery(&firestorepb.RunQueryRequest{Parent: root, QueryType: &firestorepb.RunQueryRequest_StructuredQuery{StructuredQuery: q}}, &answers{}); status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v", what, err)
		}
	}
}
