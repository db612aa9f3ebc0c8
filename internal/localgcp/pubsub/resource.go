package pubsub

import (
	"maps"
	"path"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"example.com/keyturn/shared/lazyregexp"
)

var resourceName = lazyregexp.New(`^projects/[^/]+/(topics|subscriptions)/[A-Za-z][-A-Za-z0-9._~+%]{2,254}$`)

// checkName refuses what cannot be the full name of a resource of this collection.
func checkName(collection, name string) error {
	m := resourceName.FindStringSubmatch(name)
	if m == nil || m[1] != collection || strings.HasPrefix(path.Base(name), "goog") {
		return status.Errorf(codes.InvalidArgument, "Invalid resource name given (name=%s). Refer to "+
			"https://cloud.google.com/pubsub/docs/admin#resource_names for more information.", name)
	}
	return nil
}

func notFound(name string) error {
	return status.Errorf(codes.NotFound, "Resource not found (resource=%s).", path.Base(name))
}

func alreadyExists(name string) error {
	return status.Errorf(codes.AlreadyExists, "Resource already exists in the project (resource=%s).", path.Base(name))
}

// page returns the names in m below parent that follow the token, which is
// the last name of the page before, and the token of the next page.
func page[T any](m map[string]T, parent string, size int32, token string) (names []string, next string) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !strings.HasPrefix(name, parent) || name <= token {
			continue
		}
		if size > 0 && len(names) == int(size) {
			return names, names[len(names)-1]
		}
		names = append(names, name)
	}
	return names, ""
}

// update copies the fields that mask names, all within mutable top-level ones,
// from src to dst. A field that src lacks is cleared. request names the
// request in errors.
func update(dst, src proto.Message, mask, mutable []string, request string) error {
	if len(mask) == 0 {
		return status.Errorf(codes.InvalidArgument,
			"The update_mask in the %s must be set, and must contain a non-empty paths list.", request)
	}
	for _, field := range mask {
		top, _, _ := strings.Cut(field, ".")
		if dst.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(top)) == nil {
			return maskError(request, field, "is not a known field. Note that field paths must be of the form 'push_config' rather than 'pushConfig'.")
		}
		if !slices.Contains(mutable, top) {
			return maskError(request, field, "is not mutable.")
		}
		if !copyField(dst.ProtoReflect(), src.ProtoReflect(), strings.Split(field, ".")) {
			return maskError(request, field, "is not a known field.")
		}
	}
	return nil
}

func maskError(request, field, what string) error {
	return status.Errorf(codes.InvalidArgument, "Invalid update_mask provided in the %s: '%s' %s", request, field, what)
}

// copyField reports whether the message has the field.
func copyField(dst, src protoreflect.Message, steps []string) bool {
	f := dst.Descriptor().Fields().ByName(protoreflect.Name(steps[0]))
	switch {
	case f == nil:
		return false
	case len(steps) == 1 && src.Has(f):
		dst.Set(f, src.Get(f))
	case len(steps) == 1:
		dst.Clear(f)
	case f.Message() == nil || f.IsList() || f.IsMap():
		return false
	default:
		return copyField(dst.Mutable(f).Message(), src.Get(f).Message(), steps[1:])
	}
	return true
}
