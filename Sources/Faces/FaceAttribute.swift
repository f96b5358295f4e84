/// The 40 yes-or-no attributes of CelebA, in the order of its annotation files.
///
/// Source: Z. Liu, P. Luo, X. Wang, X. Tang, *Deep Learning Face Attributes in the Wild*,
/// ICCV 2015. <https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html>
public enum FaceAttribute: Int, CaseIterable, Hashable, Sendable {
  case fiveOClockShadow
  case archedEyebrows
  case attractive
  case bagsUnderEyes
  case bald
  case bangs
  case bigLips
  case bigNose
  case blackHair
  case blondHair
  case blurry
  case brownHair
  case bushyEyebrows
  case chubby
  case doubleChin
  case eyeglasses
  case goatee
  case grayHair
  case heavyMakeup
  case highCheekbones
  case male
  case mouthSlightlyOpen
  case mustache
  case narrowEyes
  case noBeard
  case ovalFace
  case paleSkin
  case pointyNose
  case recedingHairline
  case rosyCheeks
  case sideburns
  case smiling
  case straightHair
  case wavyHair
  case wearingEarrings
  case wearingHat
  case wearingLipstick
  case wearingNecklace
  case wearingNecktie
  case young

  /// The name in CelebA's files, such as `5_o_Clock_Shadow`.
  public var name: String { Self.names[rawValue] }

  /// All names, in the order of CelebA's files.
  public static let names = [
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes",
    "Bald", "Bangs", "Big_Lips", "Big_Nose",
    "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair",
    "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses",
    "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones",
    "Male", "Mouth_Slightly_Open", "Mustache", "Narrow_Eyes",
    "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose",
    "Receding_Hairline", "Rosy_Cheeks", "Sideburns", "Smiling",
    "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat",
    "Wearing_Lipstick", "Wearing_Necklace", "Wearing_Necktie", "Young",
  ]

  /// The attribute that CelebA calls `name`, if there is one.
  public init?(name: String) {
    guard let index = Self.names.firstIndex(of: name) else { return nil }
    self.init(rawValue: index)
  }
}

extension FaceAttribute: CustomStringConvertible {
  /// The name in CelebA's files.
  public var description: String { name }
}

extension [Bool] {
  /// Whether the annotation row, 40 values in CelebA's order, has `attribute`.
  public subscript(attribute: FaceAttribute) -> Bool {
    get { self[attribute.rawValue] }
    set { self[attribute.rawValue] = newValue }
  }
}
