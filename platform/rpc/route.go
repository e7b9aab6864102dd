package rpc

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxVariables is how many variables a REST path of the contract may have.
const maxVariables = 8

// Router finds the method of the contract that a request is for, by its path alone: the gateway and a process with
// several services need to know the service before any of them reads the request.
type Router struct {
	procedures map[string]*Method
	root       *routeNode
}

// routeNode is one step of a REST path.
type routeNode struct {
	literals map[string]*routeNode
	variable *routeNode
	// methods are those whose path ends here, by verb (":archive", or "") and HTTP method.
	methods map[string]map[string]*Method
}

// variables are the values of a path's variables in the order of the path.
type variables struct {
	values [maxVariables]string
	count  int
}

func newRouteNode() *routeNode {
	return &routeNode{literals: map[string]*routeNode{}, methods: map[string]map[string]*Method{}}
}

func newRouter() *Router { return &Router{procedures: map[string]*Method{}, root: newRouteNode()} }

// NewRouter returns a router for methods by procedure, and for the forms. It fails when two share a path.
func NewRouter(methods map[string]*Method) (*Router, error) {
	router := newRouter()
	for _, method := range methods {
		if err := router.add(method); err != nil {
			return nil, err
		}
	}
	for _, form := range forms {
		if err := router.add(form); err != nil {
			return nil, err
		}
	}
	return router, nil
}

func (r *Router) add(method *Method) error {
	r.procedures[method.Procedure] = method
	if method.Path == "" {
		return nil
	}
	node, rest, last := r.root, strings.TrimPrefix(method.Path, "/"), false
	verb := ""
	for count := 0; !last; {
		var segment string
		segment, rest, verb, last = cutSegment(rest)
		if strings.HasPrefix(segment, "{") {
			if count++; count > maxVariables {
				return fmt.Errorf("%s: %s has more than %d variables", method.Procedure, method.Path, maxVariables)
			}
			if node.variable == nil {
				node.variable = newRouteNode()
			}
			node = node.variable
			continue
		}
		if node.literals[segment] == nil {
			node.literals[segment] = newRouteNode()
		}
		node = node.literals[segment]
	}
	if node.methods[verb] == nil {
		node.methods[verb] = map[string]*Method{}
	}
	if other := node.methods[verb][method.HTTPMethod]; other != nil {
		return fmt.Errorf("%s and %s share %s %s", method.Procedure, other.Procedure, method.HTTPMethod, method.Path)
	}
	node.methods[verb][method.HTTPMethod] = method
	return nil
}

// cutSegment takes the first segment off a path. The last one may have a verb behind its last colon.
func cutSegment(path string) (segment, rest, verb string, last bool) {
	if at := strings.IndexByte(path, '/'); at >= 0 {
		return path[:at], path[at+1:], "", false
	}
	if at := strings.LastIndexByte(path, ':'); at >= 0 {
		return path[:at], "", path[at:], true
	}
	return path, "", "", true
}

// Find returns the method for an address, and an error in the vocabulary of errs when there is none: PATH_UNKNOWN, or
// METHOD_NOT_ALLOWED when the path takes another HTTP method.
func (r *Router) Find(httpMethod string, address *url.URL) (*Method, error) {
	var found variables
	return r.find(httpMethod, address, &found)
}

// SetAllow tells the HTTP methods that a path takes when err is that it does not take the one asked for.
func (r *Router) SetAllow(header http.Header, address *url.URL, err error) {
	var found variables
	if errors.Is(err, ErrMethodNotAllowed) {
		header.Set("Allow", strings.Join(slices.Sorted(maps.Keys(r.candidates(address, &found))), ", "))
	}
}

func (r *Router) find(httpMethod string, address *url.URL, found *variables) (*Method, error) {
	if strings.HasPrefix(address.Path, "/braid.") {
		if method := r.procedures[address.Path]; method != nil {
			return method, nil
		}
		return nil, ErrPathUnknown
	}
	candidates := r.candidates(address, found)
	if candidates == nil {
		return nil, ErrPathUnknown
	}
	if method := candidates[httpMethod]; method != nil {
		return method, nil
	}
	return nil, ErrMethodNotAllowed
}

// candidates are the methods of a REST path by HTTP method. An encoded slash is part of no path of ours: read as a
// slash it would lead past what filters paths in front of the gateway.
func (r *Router) candidates(address *url.URL, found *variables) map[string]*Method {
	if address.RawPath != "" && strings.Contains(strings.ToLower(address.RawPath), "%2f") {
		return nil
	}
	return r.root.find(strings.TrimPrefix(address.Path, "/"), found)
}

// find prefers literals: "/invitations:accept" is no invitation's id.
func (n *routeNode) find(path string, found *variables) map[string]*Method {
	segment, rest, verb, last := cutSegment(path)
	if next := n.literals[segment]; next != nil {
		if methods := next.descend(rest, verb, last, found); methods != nil {
			return methods
		}
	}
	if n.variable == nil || segment == "" {
		return nil
	}
	found.values[found.count] = segment
	found.count++
	methods := n.variable.descend(rest, verb, last, found)
	if methods == nil {
		found.count--
	}
	return methods
}

func (n *routeNode) descend(rest, verb string, last bool, found *variables) map[string]*Method {
	if last {
		return n.methods[verb]
	}
	return n.find(rest, found)
}
