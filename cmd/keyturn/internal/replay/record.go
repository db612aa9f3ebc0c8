package replay

import (
	"encoding/json"
	"strconv"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/rule"
)

var fields = rule.Fields()

// appendRecord appends a line of JSON with all fields of the record of an entry,
// and where it stands. It fails on a time that JSON cannot have, beyond year 9999.
func appendRecord(to []byte, file string, line int64, e *detect.Entry) ([]byte, error) {
	name, _ := json.Marshal(file) // a text always encodes
	to = append(append(to, `{"file":`...), name...)
	to = strconv.AppendInt(append(to, `,"line":`...), line, 10)
	for _, f := range fields {
		value := f.Value(e)
		if texts, ok := value.([]string); ok && texts == nil {
			value = []string{}
		}
		data, err := json.Marshal(value)
		if err != nil {
			return to, err
		}
		to = append(append(append(to, `,"`...), f.Name...), `":`...)
		to = append(to, data...)
	}
	return append(to, "}\n"...), nil
}
