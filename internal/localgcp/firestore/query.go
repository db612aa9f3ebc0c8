package firestore

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// nameField is how a query calls a document's name.
const nameField = "__name__"

// RunQuery finds the documents of a collection that pass all filters. Of values only
// those are compared that are of one type.
func (s *Service) RunQuery(req *firestorepb.RunQueryRequest, stream firestorepb.Firestore_RunQueryServer) error {
	q := req.GetStructuredQuery()
	if len(q.GetFrom()) != 1 || q.GetFrom()[0].GetAllDescendants() || q.GetStartAt() != nil || q.GetEndAt() != nil || q.GetOffset() != 0 || req.GetTransaction() != nil {
		return status.Error(codes.Unimplemented, "the embedded cloud queries one collection, from its begin to its end")
	}
	filters, err := conjuncts(q.GetWhere())
	if err != nil {
		return err
	}
	found, at := s.find(req.GetParent()+"/"+q.GetFrom()[0].GetCollectionId(), filters, q.GetOrderBy())
	if limit := int(q.GetLimit().GetValue()); q.GetLimit() != nil && len(found) > limit {
		found = found[:limit]
	}
	for _, d := range found {
		if isNameOnly(q.GetSelect()) {
			d = &firestorepb.Document{Name: d.GetName(), CreateTime: d.GetCreateTime(), UpdateTime: d.GetUpdateTime()}
		}
		if err := stream.Send(&firestorepb.RunQueryResponse{Document: d, ReadTime: at.ReadTime}); err != nil {
			return err
		}
	}
	return stream.Send(at)
}

func isNameOnly(p *firestorepb.StructuredQuery_Projection) bool {
	return len(p.GetFields()) == 1 && p.GetFields()[0].GetFieldPath() == nameField
}

// conjuncts are the filters that all have to hold.
func conjuncts(f *firestorepb.StructuredQuery_Filter) (all []*firestorepb.StructuredQuery_FieldFilter, err error) {
	switch f := f.GetFilterType().(type) {
	case nil:
		return nil, nil
	case *firestorepb.StructuredQuery_Filter_FieldFilter:
		if operators[f.FieldFilter.GetOp()] == nil {
			return nil, status.Errorf(codes.Unimplemented, "the embedded cloud has no operator %v", f.FieldFilter.GetOp())
		}
		return append(all, f.FieldFilter), nil
	case *firestorepb.StructuredQuery_Filter_CompositeFilter:
		if f.CompositeFilter.GetOp() != firestorepb.StructuredQuery_CompositeFilter_AND {
			break
		}
		for _, part := range f.CompositeFilter.GetFilters() {
			more, err := conjuncts(part)
			if err != nil {
				return nil, err
			}
			all = append(all, more...)
		}
		return all, nil
	}
	return nil, status.Error(codes.Unimplemented, "the embedded cloud has filters of one field, and all of several")
}

var operators = map[firestorepb.StructuredQuery_FieldFilter_Operator]func(compared int) bool{
	firestorepb.StructuredQuery_FieldFilter_EQUAL:                 func(c int) bool { return c == 0 },
	firestorepb.StructuredQuery_FieldFilter_LESS_THAN:             func(c int) bool { return c < 0 },
	firestorepb.StructuredQuery_FieldFilter_LESS_THAN_OR_EQUAL:    func(c int) bool { return c <= 0 },
	firestorepb.StructuredQuery_FieldFilter_GREATER_THAN:          func(c int) bool { return c > 0 },
	firestorepb.StructuredQuery_FieldFilter_GREATER_THAN_OR_EQUAL: func(c int) bool { return c >= 0 },
}

// find returns copies of the documents of a collection that pass, in order, and when
// they were so.
func (s *Service) find(collection string, filters []*firestorepb.StructuredQuery_FieldFilter, orders []*firestorepb.StructuredQuery_Order) ([]*firestorepb.Document, *firestorepb.RunQueryResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*firestorepb.Document
	for name, d := range s.documents {
		if path.Dir(name) == collection && passes(d, filters) && hasAll(d, orders) {
			found = append(found, proto.CloneOf(d))
		}
	}
	slices.SortFunc(found, func(a, b *firestorepb.Document) int {
		for _, o := range orders {
			c, _ := compare(field(a, o.GetField().GetFieldPath()), field(b, o.GetField().GetFieldPath()))
			if o.GetDirection() == firestorepb.StructuredQuery_DESCENDING {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return strings.Compare(a.GetName(), b.GetName())
	})
	return found, &firestorepb.RunQueryResponse{ReadTime: s.now()}
}

func passes(d *firestorepb.Document, filters []*firestorepb.StructuredQuery_FieldFilter) bool {
	return !slices.ContainsFunc(filters, func(f *firestorepb.StructuredQuery_FieldFilter) bool {
		c, comparable := compare(field(d, f.GetField().GetFieldPath()), f.GetValue())
		return !comparable || !operators[f.GetOp()](c)
	})
}

// hasAll leaves out what lacks a field by which is ordered, as an index does.
func hasAll(d *firestorepb.Document, orders []*firestorepb.StructuredQuery_Order) bool {
	return !slices.ContainsFunc(orders, func(o *firestorepb.StructuredQuery_Order) bool { return field(d, o.GetField().GetFieldPath()) == nil })
}

func field(d *firestorepb.Document, name string) *firestorepb.Value {
	if name == nameField {
		return &firestorepb.Value{ValueType: &firestorepb.Value_ReferenceValue{ReferenceValue: d.GetName()}}
	}
	return d.GetFields()[name]
}

// compare compares two values of one type that has an order here.
func compare(a, b *firestorepb.Value) (c int, comparable bool) {
	switch x := a.GetValueType().(type) {
	case *firestorepb.Value_ReferenceValue:
		_, comparable = b.GetValueType().(*firestorepb.Value_ReferenceValue)
		return strings.Compare(x.ReferenceValue, b.GetReferenceValue()), comparable
	case *firestorepb.Value_TimestampValue:
		_, comparable = b.GetValueType().(*firestorepb.Value_TimestampValue)
		return x.TimestampValue.AsTime().Compare(b.GetTimestampValue().AsTime()), comparable
	case *firestorepb.Value_StringValue:
		_, comparable = b.GetValueType().(*firestorepb.Value_StringValue)
		return strings.Compare(x.StringValue, b.GetStringValue()), comparable
	case *firestorepb.Value_IntegerValue:
		_, comparable = b.GetValueType().(*firestorepb.Value_IntegerValue)
		return cmp.Compare(x.IntegerValue, b.GetIntegerValue()), comparable
	}
	return 0, false
}
