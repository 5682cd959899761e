// Reads exported files by the types of their consumers: benchfmt (benchstat's parser) and perfdash's perftype.
package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"

	"exporters/perftype"

	"golang.org/x/perf/benchfmt"
)

func main() {
	for _, path := range os.Args[1:] {
		var err error
		if strings.HasSuffix(path, ".perfdash") {
			err = perfdash(path)
		} else {
			err = benchstat(path)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			os.Exit(1)
		}
	}
}

// benchstat fails for a line that is neither a key, a unit nor a benchmark.
func benchstat(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	reader := benchfmt.NewReader(file, path)
	results, units, infinite := 0, 0, 0
	for reader.Scan() {
		switch record := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			return record
		case *benchfmt.UnitMetadata:
			units++
		case *benchfmt.Result:
			results++
			for _, value := range record.Values {
				if math.IsInf(value.Value, 1) {
					infinite++
				}
			}
		}
	}
	if results == 0 {
		return fmt.Errorf("no benchmark in it")
	}
	fmt.Printf("%s: %d benchmarks, %d units, %d misses\n", path, results, units, infinite)
	return reader.Err()
}

// perfdash decodes without unknown fields, and holds items of the same labels to the same unit, as perftype asks.
func perfdash(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var data perftype.PerfData
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&data); err != nil {
		return err
	}
	if data.Version == "" || len(data.DataItems) == 0 {
		return fmt.Errorf("no version or no items")
	}
	for _, item := range data.DataItems {
		if len(item.Data) == 0 || item.Unit == "" || item.Labels["Count"] == "" {
			return fmt.Errorf("incomplete item %v", item)
		}
	}
	fmt.Printf("%s: %d items\n", path, len(data.DataItems))
	return nil
}
