import Fairness
import Testing

@testable import Predictions

@Suite struct WritingTests {
  @Test func `rows are written in order with quotes where needed`() {
    let predictions = Predictions(
      ids: ["1.jpg", "a,\"b\""], labels: [true, false], scores: [0.25, 1],
      attributes: [
        Attribute("sex", of: ["male", "female"]), Attribute("age", of: ["young", "old"]),
      ],
      identities: ["7", "8"], weights: [1, 2.5])
    #expect(
      String(decoding: predictions.csv(), as: UTF8.self) == """
        id,label,score,group,age,identity,weight
        1.jpg,1,0.25,male,young,7,1.0
        "a,""b\""",0,1.0,female,old,8,2.5

        """)
  }
}
