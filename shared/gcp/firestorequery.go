package gcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// fieldName is how a query calls a document's name.
const fieldName = "__name__"

// Each visits the documents whose names begin with prefix, as they were at one
// moment.
func (d *Documents) Each(ctx context.Context, prefix string, visit func(name string, data []byte) error) error {
	return d.run(ctx, "listing documents "+prefix+"…", d.beginning(prefix), func(found *firestorepb.Document) error {
		return visit(d.nameOf(found), documentOf(found).Data)
	})
}

// Due returns the names of the documents that are due by then, what is due longest
// first, and at most so many. It reads no others.
func (d *Documents) Due(ctx context.Context, by time.Time, most int) (names []string, err error) {
	err = d.run(ctx, "listing documents that are due", dueBy(by, most), func(found *firestorepb.Document) error {
		names = append(names, d.nameOf(found))
		return nil
	})
	return names, err
}

func (d *Documents) nameOf(found *firestorepb.Document) string {
	return strings.TrimPrefix(found.GetName(), d.parent+"/")
}

// run visits what a query finds in the collection. An error of visit ends it and is
// returned.
func (d *Documents) run(ctx context.Context, doing string, q *firestorepb.StructuredQuery, visit func(*firestorepb.Document) error) error {
	client, err := d.cloud.firestore(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx) // an answer that is not read to its end stays open
	defer cancel()
	parent, collection := path.Split(d.parent)
	q.From = []*firestorepb.StructuredQuery_CollectionSelector{{CollectionId: collection}}
	stream, err := client.RunQuery(ctx, &firestorepb.RunQueryRequest{
		Parent: strings.TrimSuffix(parent, "/"), QueryType: &firestorepb.RunQueryRequest_StructuredQuery{StructuredQuery: q},
	})
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	for {
		found, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		if found.GetDocument() == nil {
			continue // it only says how far the query has come
		}
		if err := visit(found.GetDocument()); err != nil {
			return err
		}
	}
}

// beginning selects the documents whose names begin with prefix.
func (d *Documents) beginning(prefix string) *firestorepb.StructuredQuery {
	named := func(name string) *firestorepb.Value {
		return &firestorepb.Value{ValueType: &firestorepb.Value_ReferenceValue{ReferenceValue: d.parent + "/" + name}}
	}
	return &firestorepb.StructuredQuery{Where: &firestorepb.StructuredQuery_Filter{FilterType: &firestorepb.StructuredQuery_Filter_CompositeFilter{
		CompositeFilter: &firestorepb.StructuredQuery_CompositeFilter{
			Op: firestorepb.StructuredQuery_CompositeFilter_AND,
			Filters: []*firestorepb.StructuredQuery_Filter{
				where(fieldName, firestorepb.StructuredQuery_FieldFilter_GREATER_THAN_OR_EQUAL, named(prefix)),
				where(fieldName, firestorepb.StructuredQuery_FieldFilter_LESS_THAN, named(prefix+"~")), // which is beyond all that names are made of
			},
		},
	}}}
}

// dueBy selects the names of documents that are due, by the index that Firestore
// makes of each field by itself.
func dueBy(by time.Time, most int) *firestorepb.StructuredQuery {
	return &firestorepb.StructuredQuery{
		Select:  &firestorepb.StructuredQuery_Projection{Fields: []*firestorepb.StructuredQuery_FieldReference{{FieldPath: fieldName}}},
		Where:   where(fieldDue, firestorepb.StructuredQuery_FieldFilter_LESS_THAN_OR_EQUAL, timestamp(by)),
		OrderBy: []*firestorepb.StructuredQuery_Order{{Field: &firestorepb.StructuredQuery_FieldReference{FieldPath: fieldDue}, Direction: firestorepb.StructuredQuery_ASCENDING}},
		Limit:   wrapperspb.Int32(int32(most)),
	}
}

func where(field string, op firestorepb.StructuredQuery_FieldFilter_Operator, value *firestorepb.Value) *firestorepb.StructuredQuery_Filter {
	return &firestorepb.StructuredQuery_Filter{FilterType: &firestorepb.StructuredQuery_Filter_FieldFilter{FieldFilter: &firestorepb.StructuredQuery_FieldFilter{
		Field: &firestorepb.StructuredQuery_FieldReference{FieldPath: field}, Op: op, Value: value,
	}}}
}
