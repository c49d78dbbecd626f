// SPDX-License-Identifier: Apache-2.0

package configsrc

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
)

// tag is the struct tag that names a field.
const tag = "config"

// decode puts a layer's values into the configuration. Texts says that all values
// are text, as those of environment variables are, and are to be converted.
func decode(source string, values map[string]any, into any, texts bool) error {
	var meta mapstructure.Metadata
	d, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		TagName:          tag,
		Result:           into,
		Metadata:         &meta,
		ZeroFields:       true, // a list or map replaces, it does not merge with the one below
		WeaklyTypedInput: texts,
		DecodeHook: mapstructure.ComposeDecodeHookFunc(
			mapstructure.StringToTimeDurationHookFunc(),
			mapstructure.TextUnmarshallerHookFunc(),
			textList(texts),
		),
	})
	if err != nil {
		return fmt.Errorf("configsrc: %w", err)
	}
	if err := attempt(d, values); err != nil {
		return refusal(source, err)
	}
	if len(meta.Unused) > 0 {
		slices.Sort(meta.Unused)
		return &Error{Source: source, Field: meta.Unused[0], Reason: "is unknown"}
	}
	return nil
}

// attempt makes an error of a panic: mapstructure panics on a name of a field that is
// no text, such as 0 in "- {0}", and whoever may write a document must not be able to
// end all programs that follow it.
func attempt(d *mapstructure.Decoder, values map[string]any) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("a field's name is not text")
		}
	}()
	return d.Decode(values)
}

// textList splits an environment variable where a list is wanted.
func textList(texts bool) mapstructure.DecodeHookFunc {
	return func(from, to reflect.Type, value any) (any, error) {
		if !texts || from.Kind() != reflect.String || to.Kind() != reflect.Slice || to.Elem().Kind() == reflect.Uint8 {
			return value, nil
		}
		var list []string
		for part := range strings.SplitSeq(value.(string), ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		return list, nil
	}
}

// refusal names the field and what was wanted, without the value: mapstructure's
// own texts, and those of the types' parsers, may quote it.
func refusal(source string, err error) error {
	e := &Error{Source: source, Reason: "cannot be read"}
	var at *mapstructure.DecodeError
	if errors.As(err, &at) {
		e.Field = at.Name()
	}
	var parse *mapstructure.ParseError
	var unconvertible *mapstructure.UnconvertibleTypeError
	switch {
	case errors.As(err, &unconvertible):
		e.Reason = fmt.Sprintf("wants %s, got %s", kind(unconvertible.Expected.Type()), kind(reflect.TypeOf(unconvertible.Value)))
	case errors.As(err, &parse):
		e.Reason = "wants " + kind(parse.Expected.Type())
	case e.Field != "":
		e.Reason = "does not have the form that its type wants"
	}
	return e
}

// kind names a type in the words of who writes configuration.
func kind(t reflect.Type) string {
	if t == nil {
		return "nothing"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if t.String() == "time.Duration" {
			return "a duration such as 1.5s"
		}
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number of 0 or more"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "fields"
	}
	return t.String()
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

// fieldsOf returns the paths of all fields that hold a value, nested structs
// resolved.
func fieldsOf(t reflect.Type, under []string) []field {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var fields []field
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get(tag), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		inner := f.Type
		for inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		path := append(slices.Clone(under), cmp.Or(name, f.Name))
		switch {
		case strings.Contains(options, "squash"):
			fields = append(fields, fieldsOf(inner, under)...)
		case inner.Kind() == reflect.Struct && !reflect.PointerTo(inner).Implements(textUnmarshaler) && len(path) < maxDepth:
			fields = append(fields, fieldsOf(inner, path)...)
		default:
			fields = append(fields, field{path})
		}
	}
	return fields
}

// maxDepth ends the walk through a type that contains itself.
const maxDepth = 8
