package functions

import (
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"cloud.google.com/go/functions/apiv2/functionspb"
)

// applyMask takes over the fields that paths name, such as build_config.source, and all
// if they name none. One that is not set is cleared.
func applyMask(to, from *functionspb.Function, paths []string) error {
	if len(paths) == 0 {
		name := to.GetName()
		proto.Reset(to)
		proto.Merge(to, from)
		to.Name = name
		return nil
	}
	for _, p := range paths {
		if err := applyPath(to.ProtoReflect(), from.ProtoReflect(), strings.Split(p, ".")); err != nil {
			return err
		}
	}
	return nil
}

func applyPath(to, from protoreflect.Message, names []string) error {
	field := to.Descriptor().Fields().ByName(protoreflect.Name(names[0]))
	switch {
	case field == nil:
		return status.Errorf(codes.InvalidArgument, "update_mask has a field that there is not: %s", strings.Join(names, "."))
	case len(names) > 1 && field.Message() != nil && !field.IsMap() && !field.IsList():
		return applyPath(to.Mutable(field).Message(), from.Get(field).Message(), names[1:])
	case from.Has(field):
		to.Set(field, from.Get(field))
	default:
		to.Clear(field)
	}
	return nil
}
