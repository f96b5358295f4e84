import Faces
import Files
import Foundation
import TestSupport

/// A folder of small images with labels, two groups and that many rows of every split, `perPerson` in
/// a row of the same person.
func faces(
  _ counts: KeyValuePairs<Split, Int>, perPerson: Int = 1
) throws -> (folder: String, dataset: FaceDataset) {
  let folder = try temporaryFolder()
  let images = try golden([Data].self, "images", in: .module)
  var lines = ["file,label,group,split" + (perPerson > 1 ? ",identity" : "")]
  for split in counts.flatMap({ Array(repeating: $0.key, count: $0.value) }) {
    let row = lines.count - 1
    try images[row % images.count].write(to: URL(fileURLWithPath: "\(folder)/\(row).jpg"))
    let person = perPerson > 1 ? ",\(row / perPerson)" : ""
    lines.append(
      "\(row).jpg,\(row % 3 == 0 ? 1 : 0),\(row % 2 == 0 ? "a" : "b"),\(split)\(person)")
  }
  try Files.replace("\(folder)/faces.csv", with: lines.joined(separator: "\n") + "\n")
  return (folder, try .table(folder, "\(folder)/faces.csv"))
}
