import Documents
import Foundation
import JSON
import Mapping
import Testing

@Suite("Dataflow documents") struct DataflowTests {
  private func read(_ text: String) -> (DataflowDocument?, [String]) {
    let (document, diagnostics) = DataflowDocument.read(text: text, file: "d.rst")
    return (document, lines(diagnostics))
  }

  private func fixture(_ name: String) throws -> String {
    let url = try #require(Bundle.module.url(forResource: "Fixtures/" + name, withExtension: nil))
    return try String(contentsOf: url, encoding: .utf8)
  }

  private static let heading = "Invoiced Customers (organisation data) to Custom PMS Customer"
  private static let slug = "invoiced-customers-organisation-data-to-custom-pms-customer"

  /// A document with one section, whose rows are given.
  private func document(_ rows: String, heading: String = "Invoiced A to Custom PMS B") -> String {
    """
    T
    =

    \(heading)
    \(String(repeating: "-", count: heading.count))

    .. list-table::
       :header-rows: 1

       * - Invoiced A Property
         - Custom PMS B Property
         - Custom PMS Data Type
    \(rows)
    """
  }

  @Test("the original imports as three flows without rows, kept apart by numbers")
  func original() throws {
    let (document, problems) = read(try fixture("dataflow-original.rst"))
    #expect(problems == [])
    let original = try #require(document)
    #expect(original.title == "Invoiced to Custom PMS Dataflow")
    #expect(original.generated == "2024-09-25 00:00:03")
    #expect(original.introduction.count == 1)
    #expect(original.sections.map(\.heading) == Array(repeating: Self.heading, count: 3))
    #expect(
      original.sections[0].paragraphs == [
        "Each Invoiced Customers (organisation data) is synchronized with a Custom PMS Customer.",
        "After the two are linked, they are kept in sync, whichever of the two systems an edit is made in.",
        "These properties are synchronized between a Invoiced Customers (organisation data) and a Custom PMS Customer:",
      ])
    let (mapping, diagnostics) = original.imported()
    #expect(mapping.flows.map(\.name) == [Self.slug, Self.slug + "-2", Self.slug + "-3"])
    #expect(mapping.flows.allSatisfy { $0.live == .observe && $0.title == Self.heading && $0.properties.isEmpty })
    #expect(mapping.flows.allSatisfy { $0.invoiced.object == "customer" && $0.pms.object == "customer" })
    #expect(
      lines(diagnostics)
        == [12, 28, 44].map {
          "warning \($0):1 the table of '\(shortened(Self.heading))' is empty: its flow has no rows -> write rows under 'properties:' in the mapping"
        })
  }

  @Test("the original, imported and rendered, is the original")
  func originalRenders() throws {
    let text = try fixture("dataflow-original.rst")
    let (document, _) = read(text)
    let mapping = try #require(document).imported().mapping
    let rendered = DataflowDocument.render(mapping, as: .rst, generated: "2024-09-25 00:00:03")
    #expect(rendered + "\n" == text)
  }

  @Test("the filled example imports with its rows, directions and warnings")
  func example() throws {
    let (document, problems) = read(try fixture("dataflow-example.rst"))
    #expect(problems == [])
    let (mapping, diagnostics) = try #require(document).imported()
    #expect(
      mapping.flows.map(\.name) == [
        "invoiced-customers-organisation-data-to-workplan-client",
        "workplan-client-to-invoiced-customers-organisation-data",
      ])
    #expect(
      rows(mapping.flows[0]) == [
        "address1 postalAddress.line1 string both", "address1 visitingAddress.line1 string both",
        "country postalAddress.country.id integer both", "name name string both",
        "metadata.vip level tags[0] N/A both", "tax_id - string",
      ])
    #expect(rows(mapping.flows[1]) == ["email email string to_invoiced"])
    #expect(
      lines(diagnostics) == [
        "warning 39:4 the row 'tax_id' has no property on the PMS, and is not synchronised -> write the path in place of 'null' after 'pms:' in the mapping",
        "warning 27:4 more than one row writes 'address1' on Invoiced, which check and serve refuse -> give all but one of them 'direction: to_pms'",
      ])
  }

  /// A flow's rows as `INVOICED PMS TYPE DIRECTION`.
  private func rows(_ flow: Flow) -> [String] {
    TableRow.rows(of: flow).map { row in
      let paths = "\(row.invoiced?.description ?? "-") \(row.pms?.description ?? "-") \(row.type.rawValue)"
      guard case .pair(_, let pair) = row.source else { return paths }
      return paths + " " + pair.direction.rawValue
    }
  }

  @Test("sections and rows survive import, mapping.yaml, render and import again", arguments: ["original", "example"])
  func stable(_ name: String) throws {
    let document = try #require(try read(fixture("dataflow-\(name).rst")).0)
    let mapping = document.imported().mapping
    let (fromYAML, _) = MappingDocument.read(text: MappingDocument.write(mapping), file: "m.yaml")
    #expect(fromYAML?.unplaced == mapping.unplaced)
    let again = try #require(read(DataflowDocument.render(mapping, as: .rst)).0)
    #expect(again.sections.map(\.heading) == document.sections.map(\.heading))
    #expect(again.unplaced.sections.map(\.table) == document.unplaced.sections.map(\.table))
    #expect(again.title == document.title)
  }

  @Test("any mapping, rendered and imported again, has the same sections and rows", arguments: UInt64(0)..<300)
  func property(seed: UInt64) throws {
    var random = RandomMapping(seed: seed)
    let mapping = random.documentable()
    let text = DataflowDocument.render(mapping, as: .rst)
    let (read, problems) = read(text)
    #expect(problems == [])
    guard let document = read else { return }
    let isSame = document.unplaced.sections == DataflowDocument(mapping).sections
    #expect(isSame, "\(text)")
    let again = document.imported().mapping
    let sameText = DataflowDocument.render(again, as: .rst) == text
    #expect(sameText, "\(text)")
    for (flow, original) in zip(again.flows, mapping.flows) {
      let before = TableRow.rows(of: original).map { [$0.invoiced, $0.pms] }
      let after = TableRow.rows(of: flow).map { [$0.invoiced, $0.pms] }
      let samePaths = before == after
      #expect(samePaths, "\(text)")
    }
  }

  @Test("the direction and the sides follow the headings and the columns' titles")
  func directions() throws {
    func flow(_ heading: String, _ columns: [String]) throws -> String {
      let text = """
        \(heading)
        \(String(repeating: "~", count: 60))

        .. list-table::
           :header-rows: 1

           * - \(columns[0])
             - \(columns[1])
             - Type
           * - a
             - b
             - string
        """
      return rows(try #require(read(text).0).imported().mapping.flows[0])[0]
    }
    #expect(try flow("Invoiced X to PMS Y", ["Invoiced X Property", "PMS Y Property"]) == "a b string both")
    #expect(try flow("Custom PMS X to Invoiced Y", ["PMS X", "Invoiced Y"]) == "b a string to_invoiced")
    #expect(try flow("Invoiced X to PMS Y", ["PMS Y Property", "Invoiced X Property"]) == "b a string both")
    #expect(try flow("Custom PMS X to Invoiced Y", ["Invoiced Y", "PMS X"]) == "a b string to_invoiced")
    #expect(try flow("Foo to Bar", ["Foo Property", "Bar Property"]) == "a b string both")
    #expect(try flow("Invoiced X to Invoiced Y", ["Invoiced X Property", "Invoiced Y Property"]) == "a b string both")
    #expect(try flow("Custom PMS X to Invoiced Y", ["Source", "Target"]) == "b a string to_invoiced")
  }

  @Test(
    "a wild document is read: adornments, tabs, CRLF, a byte order mark, continued cells, comments, lists, other directives"
  )
  func wild() throws {
    let text = """
      \u{FEFF}#################
       From here to there
      #################
      :Author: someone
      :Version: 2

      Some words before,
      on two lines.

      .. contents:: Contents
         :depth: 2

      Introduction
      ************

      - a bullet to skip
        with its second line

      1. a number
      2. another

      Text with a block::

          .. list-table::

             * - no
               - table

      .. note::

         .. list-table::

            * - neither
              - this

      .. A comment that says X to Y
         ------------------------

      Part one
      ********

      INVOICED Clients to Foo *things*
      ++++++++++++++++++++++++++++++++
      .. This table was made by hand.

      Its rows follow.

      Details
      ^^^^^^^

      .. LIST-TABLE:: With a caption
      \t:widths: 30 30
      \t   40
      \t:header-rows: 1
      \t:class: wide

      \t* - INVOICED Clients Property
      \t  - Foo things Property
      \t  - Foo Data Type
      \t* - ``name``
      \t  - *title*
      \t  - ``"String"``
      \t* - metadata.
      \t    long
      \t  -
      \t    a.b
      \t  - 'DATETIME'
      \t*
      \t  - email
      \t  - mail\\_address
      \t  - “boolean”
      \t* -
      \t  - mail2
      \t  -  "uuid"
      \t* - :code:`tags[0]`
      \t  - `x`
      \t  -

      A remark.

      ===== =====
      A     B
      ===== =====
      1     2
      ===== =====

      +---+
      | a |
      +---+

      After to nowhere
      ++++++++++++++++

      No table here.
      """.replacing("\n", with: "\r\n")
    let (read, problems) = read(text)
    #expect(
      problems == [
        "warning 91:1 the section 'After to nowhere' has no list-table, and is passed over -> give it a list-table of three columns, if it is part of the dataflow"
      ])
    let document = try #require(read)
    #expect(document.title == "From here to there")
    #expect(document.introduction == ["Some words before, on two lines.", "Text with a block:"])
    #expect(document.sections.count == 1)
    #expect(document.sections[0].heading == "INVOICED Clients to Foo *things*")
    #expect(document.sections[0].paragraphs == ["Its rows follow."])
    #expect(document.sections[0].remarks == ["A remark."])
    let (mapping, diagnostics) = document.imported()
    #expect(
      rows(mapping.flows[0]) == [
        "name title string both", "metadata.long a.b datetime both", "email mail_address boolean both",
        "email mail2 N/A both", "tags[0] x N/A both",
      ])
    #expect(
      lines(diagnostics) == [
        "warning 72:9 the data type \"uuid\" is not known: it is kept as N/A -> write string, integer, decimal, boolean, date, datetime or N/A after 'type:' in the mapping",
        "warning 75:9 this row has no data type: it is kept as N/A -> write string, integer, decimal, boolean, date, datetime or N/A after 'type:' in the mapping",
        "warning 72:9 more than one row writes 'email' on Invoiced, which check and serve refuse -> give all but one of them 'direction: to_pms'",
      ])
  }

  @Test(
    "what is no dataflow document is an error that names the line",
    arguments: [
      ("", "1:1 the document is empty"), ("\n\n", "1:1 the document is empty"),
      ("just some text\n", "1:1 this is no dataflow document: no section is headed 'SOURCE to TARGET'"),
      ("\nTitle\n=====\n\ntext\n", "2:1 this is no dataflow document: no section is headed 'SOURCE to TARGET'"),
      ("T\n=\n\nA to B\n------\n\ntext\n", "4:1 the section 'A to B' has no list-table"),
      (
        "T\n=\n\nAbout\n-----\n\n.. list-table::\n\n   * - a\n     - b\n     - c\n",
        "7:1 this list-table stands outside a section headed 'SOURCE to TARGET'"
      ),
      (
        "A to B\n------\n\n.. list-table::\n\n   * - a\n     - b\n",
        "6:4 this row of a list-table has 2 cells where 3 are expected"
      ),
      (
        "A to B\n------\n\n.. list-table::\n\n   * - a\n     - b\n     - c\n     - d\n",
        "6:4 this row of a list-table has 4 cells where 3 are expected"
      ),
      (
        "A to B\n------\n\n.. list-table::\n\n   * a\n",
        "6:4 this line of a list-table is no row and no cell"
      ),
      (
        "A to B\n------\n\n.. list-table::\n\n   a, b, c\n", "6:4 this line of a list-table is no row and no cell"
      ),
      (
        "A to B\n------\n\n.. list-table::\n\n   * - a\n     - b\n     - c\n  oops\n",
        "9:3 this line of a list-table is no row and no cell"
      ),
      ("{\"flows\": []}\n", "1:1 this is no dataflow document: no section is headed 'SOURCE to TARGET'"),
    ])
  func broken(_ text: String, _ message: String) {
    let (document, problems) = read(text)
    #expect(document == nil)
    let first = problems.first ?? ""
    #expect(first.hasPrefix("error " + message), "\(first)")
  }

  @Test("bytes that are no text are an error that names the line")
  func binary() {
    func message(_ bytes: [UInt8]) -> [String] { lines(DataflowDocument.read(bytes: bytes, file: "d").diagnostics) }
    let advice = " -> give a dataflow document in reStructuredText, saved as UTF-8"
    #expect(message([0x50, 0x4B, 0x0A, 0xFF, 0xFE]) == ["error 2:1 this is no UTF-8 text" + advice])
    #expect(message([0x41, 0x0A, 0x0A, 0x00]) == ["error 3:1 this is no UTF-8 text" + advice])
    #expect(
      lines(DataflowDocument.read(path: "/nowhere.rst").diagnostics) == [
        "error there is no file '/nowhere.rst' -> check the path"
      ])
    #expect(
      lines(DataflowDocument.read(path: "/tmp").diagnostics) == ["error '/tmp' is a directory -> name a file in it"])
  }

  @Test("rows that only check would refuse import and render, with a warning")
  func repeated() throws {
    let (read, problems) = read(
      document(
        """
           * - a
             - x
             - "string"
           * - b
             - x.y
             - "string"
        """))
    #expect(problems == [])
    let (mapping, diagnostics) = try #require(read).imported()
    #expect(mapping.flows[0].properties.count == 2)
    #expect(
      lines(diagnostics) == [
        "warning 16:4 more than one row writes 'x.y' on the PMS, which check and serve refuse -> give all but one of them 'direction: to_invoiced'"
      ])
    #expect(DataflowDocument.render(mapping, as: .rst).contains("     - x.y\n"))
  }

  @Test("Markdown is a GitHub table, with what is markup escaped")
  func markdown() throws {
    #expect(
      DataflowDocument.render(try hardMapping(), as: .md, generated: "today") == #"""
        # Invoiced to Custom \<b\>PMS\</b\> Dataflow

        Generated: today

        ## Introduction

        This document describes the data flow from Invoiced to Custom \<b\>PMS\</b\>, section by section, and is the checklist that the synchronisation is tested against.

        ## Invoiced \*A\* to Custom \<b\>PMS\</b\> Customer

        Each Invoiced \*A\* is synchronized with a Custom \<b\>PMS\</b\> Customer.

        After the two are linked, they are kept in sync, whichever of the two systems an edit is made in.

        These properties are synchronized between a Invoiced \*A\* and a Custom \<b\>PMS\</b\> Customer:

        | Invoiced \*A\* Property | Custom \<b\>PMS\</b\> Customer Property | Custom \<b\>PMS\</b\> Data Type |
        | --- | --- | --- |
        | `a\|b` | `` x`y `` | "string" |
        | `<script>` | `lines[0].n` | N/A |
        | `tax_id` |  | "date" |

        """#)
  }

  @Test("HTML is a whole page without scripts, and escapes what it shows")
  func html() throws {
    let html = DataflowDocument.render(try hardMapping(), as: .html, generated: "today")
    #expect(html.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"))
    #expect(html.hasSuffix("</main>\n</body>\n</html>\n"))
    #expect(!html.contains("<script") && !html.contains("<b>"))
    #expect(html.contains("<h2>Invoiced *A* to Custom &lt;b&gt;PMS&lt;/b&gt; Customer</h2>"))
    #expect(html.contains("<tr><td><code>&lt;script&gt;</code></td><td><code>lines[0].n</code></td><td>N/A</td></tr>"))
    #expect(html.contains("<tr><td><code>tax_id</code></td><td></td><td>&quot;date&quot;</td></tr>"))
    #expect(html.contains("<p>Generated: today</p>"))
  }

  private func hardMapping() throws -> Mapping {
    var flow = Flow(name: "a", invoiced: FlowSide(object: "customer"), pms: FlowSide(object: "customer"))
    flow.title = "Invoiced *A* to Custom <b>PMS</b> Customer"
    let path = { (text: String) throws in try #require(JSONPath(text)) }
    flow.properties = [
      PropertyPair(invoiced: try path("a|b"), pms: try path("x`y"), type: .string),
      PropertyPair(invoiced: try path("<script>"), pms: try path("lines[0].n"), type: .any),
    ]
    flow.unmapped = [UnmappedRow(before: 2, invoiced: try path("tax_id"), type: .date)]
    return Mapping(flows: [flow])
  }

  @Test("a table may have more columns, with verdicts in them")
  func verdicts() {
    let table = DataflowDocument.Table(
      columns: ["A", "B", "Type", "Verdict"],
      rows: [
        .init([.init("a", style: .code), .init("b", style: .code), .init("\"string\""), .init("2 differ", style: .bad)])
      ])
    let document = DataflowDocument(
      title: "Audit", sections: [.init(heading: "A to B", table: table, remarks: ["Not linked: 1, 2."])])
    #expect(
      document.rendered(as: .rst) == """
        =====
        Audit
        =====

        A to B
        ------
        .. list-table::
           :header-rows: 1

           * - A
             - B
             - Type
             - Verdict
           * - a
             - b
             - "string"
             - 2 differ

        Not linked: 1, 2.

        """)
    #expect(document.rendered(as: .html).contains("<td class=\"bad\">2 differ</td>"))
    #expect(document.rendered(as: .md).contains("| `a` | `b` | \"string\" | 2 differ |\n\nNot linked: 1, 2.\n"))
  }

  @Test("a flow whose title has not the form of a heading is headed by one that holds it")
  func headings() {
    func heading(_ title: String?) -> String {
      var flow = Flow(name: "companies", invoiced: FlowSide(object: "customer"), pms: FlowSide(object: "client"))
      flow.title = title
      return DataflowDocument(Mapping(flows: [flow])).sections[0].heading
    }
    #expect(heading(nil) == "Invoiced Customers (companies) to Custom PMS Client")
    #expect(heading("Firms") == "Invoiced Customers (Firms) to Custom PMS Client")
    #expect(heading("A  to\n B") == "A to B")
    #expect(heading("to B") == "Invoiced Customers (to B) to Custom PMS Client")
  }
}

extension DataflowDocument {
  /// The document without the places it was read from.
  var unplaced: DataflowDocument {
    var document = self
    document.sections = sections.map { section in
      var section = section
      section.position = nil
      section.table.rows = section.table.rows.map { Row($0.cells) }
      return section
    }
    return document
  }
}
