package rpc

import (
	"fmt"
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

// NewRouter returns a router for methods by procedure. It fails when two share a path.
func NewRouter(methods map[string]*Method) (*Router, error) {
	router := newRouter()
	for _, method := range methods {
		if err := router.add(method); err != nil {
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

// Find returns the method for a path, and an error in the vocabulary of errs when there is none: PATH_UNKNOWN, or
// METHOD_NOT_ALLOWED when the path takes another HTTP method.
func (r *Router) Find(httpMethod, path string) (*Method, error) {
	var found variables
	return r.find(httpMethod, path, &found)
}

func (r *Router) find(httpMethod, path string, found *variables) (*Method, error) {
	if strings.HasPrefix(path, "/braid.") {
		if method := r.procedures[path]; method != nil {
			return method, nil
		}
		return nil, ErrPathUnknown
	}
	candidates := r.candidates(path, found)
	if candidates == nil {
		return nil, ErrPathUnknown
	}
	if method := candidates[httpMethod]; method != nil {
		return method, nil
	}
	return nil, ErrMethodNotAllowed
}

// candidates are the methods of a REST path by HTTP method.
func (r *Router) candidates(path string, found *variables) map[string]*Method {
	return r.root.find(strings.TrimPrefix(path, "/"), found)
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
