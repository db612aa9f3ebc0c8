package filter

import (
	"reflect"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	english := map[string]string{"lang": "en", "domain": "com", "iana.org/tag": "x", "empty": "", "0-_a": "z"}
	for _, tc := range []struct {
		filter string
		want   bool
	}{
		{``, true},
		{` `, true},
		{`attributes:lang`, true},
		{`attributes:empty`, true},
		{`attributes:Lang`, false},
		{`attributes:"iana.org/tag"`, true},
		{`attributes:0-_a`, true},
		{`attributes.lang = "en"`, true},
		{`attributes.lang="EN"`, false},
		{`attributes."iana.org/tag" = "x"`, true},
		{`attributes.absent = ""`, false},
		{`attributes.lang != "en"`, false},
		{`attributes.lang != "de"`, true},
		{`attributes.absent != "de"`, true},
		{`hasPrefix(attributes.domain, "co")`, true},
		{`hasPrefix ( attributes . domain , "" )`, true},
		{`hasPrefix(attributes.domain, "m")`, false},
		{`hasPrefix(attributes.absent, "")`, false},
		{`NOT attributes:lang`, false},
		{`-attributes:absent`, true},
		{`NOT NOT attributes:lang`, true},
		{`attributes:lang AND attributes:absent`, false},
		{`attributes:lang AND attributes:domain AND attributes:empty`, true},
		{`attributes:absent OR attributes:lang`, true},
		{`attributes:absent OR attributes:gone`, false},
		{`attributes:absent OR (attributes:lang AND NOT attributes:gone)`, true},
		{`NOT (attributes:absent OR attributes:lang)`, false},
		{"attributes:lang\n\tAND -attributes:gone", true},
		{`attributes.lang = "\x65\156"`, true},
	} {
		t.Run(tc.filter, func(t *testing.T) {
			f, err := Parse(tc.filter)
			if err != nil {
				t.Fatal(err)
			}
			if got := f.Match(english); got != tc.want {
				t.Errorf("matches: %v, want %v", got, tc.want)
			}
		})
	}
}

func TestParseSaysWhatIsWrongAndWhere(t *testing.T) {
	for filter, want := range map[string]string{
		`nonsense >`:                `column 10: ">" is not part of the filter language`,
		`nonsense`:                  `column 1: found "nonsense" where attributes, hasPrefix, NOT or "(" should be`,
		`attributes`:                `column 11: the filter ends where ":" or "." after attributes should follow`,
		`attributes.lang`:           `column 16: the filter ends where "=" or "!=" should follow`,
		`attributes.lang = en`:      `column 19: found "en" where a quoted string should be`,
		`attributes.lang = "en`:     `column 19: the string is not closed or holds an escape that does not exist`,
		`attributes. = "en"`:        `column 13: found "=" where a quoted string should be`,
		`attributes:`:               `column 12: the filter ends where a quoted string should follow`,
		`attributes:a attributes:b`: `column 14: found "attributes" where AND, OR or the end of the filter should be`,
		`attributes:a AND`:          `column 17: the filter ends where attributes, hasPrefix, NOT or "(" should follow`,
		`attributes:a AND attributes:b OR attributes:c`:     `column 31: AND and OR mixed; put parentheses around one of them`,
		`attributes:a NOT attributes:b`:                     `column 14: found "NOT" where AND, OR or the end of the filter should be`,
		`attributes:a and attributes:b`:                     `column 14: found "and" where AND, OR or the end of the filter should be`,
		`(attributes:a`:                                     `column 14: the filter ends where ")" should follow`,
		`(attributes:a OR`:                                  `column 17: the filter ends where attributes, hasPrefix, NOT or "(" should follow`,
		`NOT`:                                               `column 4: the filter ends where attributes, hasPrefix, NOT or "(" should follow`,
		`hasPrefix[`:                                        `column 10: "[" is not part of the filter language`,
		`hasPrefix(lang, "x")`:                              `column 11: found "lang" where "attributes" should be`,
		`hasPrefix(attributes.=, "x")`:                      `column 22: found "=" where a quoted string should be`,
		`hasPrefix(attributes.a "x")`:                       `column 24: found "x" where "," should be`,
		`hasPrefix(attributes.a, x)`:                        `column 25: found "x" where a quoted string should be`,
		`attributes:a OR ` + strings.Repeat("(", MaxLength): `filter is 272 bytes long; at most 256 are allowed`,
	} {
		f, err := Parse(filter)
		if f != nil || err == nil || err.Error() != want {
			t.Errorf("%s\n got %v, %v\nwant %s", filter, f, err, want)
		}
	}
}

func TestStringIsCanonical(t *testing.T) {
	for in, want := range map[string]string{
		``:                                    ``,
		`-attributes:"a"`:                     `NOT attributes:a`,
		`attributes."AND"="1"`:                `attributes."AND" = "1"`,
		`attributes:"-a"`:                     `attributes:"-a"`,
		`(attributes:"a b")`:                  `attributes:"a b"`,
		`-(attributes:a OR attributes:b)`:     `NOT (attributes:a OR attributes:b)`,
		`hasPrefix(attributes."a","\u0062")`:  `hasPrefix(attributes.a, "b")`,
		`attributes:a AND attributes.b!="\n"`: `attributes:a AND attributes.b != "\n"`,
		`(attributes:a AND attributes:b) AND attributes:c`: `(attributes:a AND attributes:b) AND attributes:c`,
	} {
		f, err := Parse(in)
		if err != nil || f.String() != want {
			t.Errorf("%s: got %q, %v; want %q", in, f.String(), err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		``, `attributes:a`, `attributes."a.b" != "c"`, `hasPrefix(attributes.a, "\xff")`,
		`NOT -attributes:a AND (attributes:b OR attributes:c)`, `attributes:"` + "\xff" + `"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first, err := Parse(s)
		if err != nil {
			if first != nil {
				t.Fatalf("a filter besides the error %v", err)
			}
			return
		}
		again, err := parse(first.String()) // the canonical form may be longer than MaxLength
		if err != nil {
			t.Fatalf("%q became %q: %v", s, first, err)
		}
		if !reflect.DeepEqual(first, again) {
			t.Fatalf("%q became %q, which reads as %q", s, first, again)
		}
	})
}
