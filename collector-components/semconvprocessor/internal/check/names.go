// SPDX-License-Identifier: Apache-2.0

package check

// wellFormed reports whether a name has the form of the semantic conventions:
// words of lower-case letters and digits, the first of which begins with a letter,
// joined by single dots and underscores.
func wellFormed(name string) bool {
	if name == "" || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	joined := false // the last byte was a dot or an underscore
	for i := range len(name) {
		switch b := name[i]; {
		case b >= 'a' && b <= 'z', b >= '0' && b <= '9':
			joined = false
		case (b == '.' || b == '_') && !joined:
			joined = true
		default:
			return false
		}
	}
	return !joined
}

// prefix is what the registry knows of the beginning of a name, up to a dot.
type prefix struct {
	template  *attribute // it stands for all names below it
	attribute bool       // it is an attribute itself, and not deprecated
	namespace bool       // attributes of the registry begin with it
	allowed   bool       // names below it need not be in the registry
}

// under returns what the registry knows of a name by its beginnings: the longest
// template that it is of, and the rest joined.
func (r *Rules) under(name string) (p prefix, namespaced bool) {
	for i := range len(name) {
		if name[i] != '.' {
			continue
		}
		namespaced = true
		q, ok := r.prefixes[name[:i]]
		if !ok {
			continue // a longer one may still be a template or allowed
		}
		if q.template != nil {
			p.template = q.template
		}
		p.attribute = p.attribute || q.attribute
		p.namespace = p.namespace || q.namespace
		p.allowed = p.allowed || q.allowed
	}
	return p, namespaced
}
