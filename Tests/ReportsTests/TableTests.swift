import Reports
import Testing

@Suite struct TableTests {
  let table = Table(
    "Who paid", columns: ["model", "accuracy %"],
    rows: [["a|b", "80.06"], ["50% \"x\", y", "7"]], notes: ["One note."])

  @Test func `text aligns words to the left and numbers to the right`() {
    #expect(
      table.rendered(as: .text) == """
        Who paid

        model       accuracy %
        ----------  ----------
        a|b              80.06
        50% "x", y           7

        One note.

        """)
  }

  @Test func `markdown escapes what would end a cell`() {
    #expect(
      table.rendered(as: .markdown) == """
        **Who paid**

        | model | accuracy % |
        |---|---:|
        | a\\|b | 80.06 |
        | 50% "x", y | 7 |

        One note.

        """)
  }

  @Test func `csv quotes as RFC 4180 asks`() {
    #expect(
      table.rendered(as: .csv) == "model,accuracy %\na|b,80.06\n\"50% \"\"x\"\", y\",7\n")
  }

  @Test func `latex escapes its own characters`() {
    #expect(table.rendered(as: .latex).contains("50\\% \"x\", y & 7 \\\\"))
  }
}
